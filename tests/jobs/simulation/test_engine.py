"""Starts that can be worked out by hand, and the bound on every wait."""

import math
from itertools import accumulate

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from jobs.simulation.engine import Ranked, serve
from jobs.simulation.predicted import Known, Shared
from jobs.simulation.report import starts_of
from tests.jobs.simulation.traces import trace


def test_first_come_first_served_on_one_worker() -> None:
    assert serve([0, 1, 2], [10, 5, 1], 1, Ranked([0, 1, 2])) == [0, 10, 15]


def test_the_shortest_of_those_that_wait_is_next_and_nothing_is_broken_off() -> None:
    assert serve([0, 1, 2, 11.5], [10, 5, 2, 1], 1, Ranked([10, 5, 2, 1])) == [0, 13, 10, 12]


def test_two_workers_take_two_at_once() -> None:
    assert serve([0, 0, 0, 20], [4, 6, 1, 1], 2, Ranked([0, 1, 2, 3])) == [0, 0, 4, 20]


def test_equal_ranks_are_in_order_of_arrival() -> None:
    assert serve([0, 1, 2, 3], [5, 5, 5, 5], 1, Ranked([0, 7, 7, 7])) == [0, 5, 10, 15]


def test_fifo_is_the_order_of_arrival_whatever_is_predicted() -> None:
    jobs = [(0.0, 10.0), (1.0, 500.0), (2.0, 1.0), (3.0, 100.0), (400.0, 2.0), (420.0, 1.0)]
    arrivals, runs = [at for at, _ in jobs], [run for _, run in jobs]

    first = serve(arrivals, runs, 1, Ranked(arrivals))

    assert starts_of(trace(*jobs), 1, "fifo", "one", 0) == first


def test_a_light_organisation_is_next_in_a_flood() -> None:
    """Ten jobs of one organisation come first; one of another waits for the run in hand, and no longer."""
    orgs = ["flood"] * 10 + ["light"]
    arrivals, runs = [0.0] * 10 + [15.0], [10.0] * 11

    starts = serve(arrivals, runs, 1, Shared(Known(runs), orgs, runs, 1, "learned"))

    assert starts[-1] == 20


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_two_floods_share_by_weight(weight: float) -> None:
    orgs = ["a", "b"] * 200
    arrivals, runs = [float(number) for number in range(400)], [10.0] * 400
    order = Shared(Known(runs), orgs, runs, 1, "learned", {"a": weight})

    starts = serve(arrivals, runs, 1, order)

    served = [org for start, org in zip(starts, orgs, strict=True) if 500 <= start < 2000]
    assert served.count("a") / served.count("b") == pytest.approx(weight, rel=0.25)


scales = st.sampled_from([1.0, 30.0, 1000.0])
jobs = st.lists(st.tuples(st.floats(0, 1), scales, st.floats(1, 300)), min_size=1, max_size=60)


@given(jobs, st.integers(1, 3))
def test_no_job_waits_longer_than_the_bound_says(found: list[tuple[float, float, float]], workers: int) -> None:
    arrivals, runs, now = [], [], 0.0
    for gap, scale, run in found:
        now += gap * scale
        arrivals.append(now)
        runs.append(run)

    first = serve(arrivals, runs, workers, Ranked(arrivals))
    learned = serve(arrivals, runs, workers, Shared(Known(runs), [""] * len(runs), runs, workers, "learned"))

    for at, fifo, start in zip(arrivals, first, learned, strict=True):
        lead = max(fifo - at, settings.RANK_LEAD_MIN_SECONDS)
        assert start - at <= settings.RANK_STRETCH**2 * lead + max(runs)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 300), st.floats(0.1, 300)), min_size=1, max_size=60))
def test_a_long_job_is_passed_by_a_stream_of_short_ones_for_a_while_only(
    stream: list[tuple[float, float, float]],
) -> None:
    """The long job waits behind one; the short ones that come all the time, well or badly predicted, do not end."""
    arrivals, runs, predicted = [0.0, 0.0], [100.0, 5000.0], [100.0, 5000.0]
    for _ in range(40):
        for gap, run, guess in stream:
            arrivals.append(arrivals[-1] + gap)
            runs.append(run)
            predicted.append(guess)

    order = Shared(Known(predicted), [""] * len(runs), runs, 1, "learned")
    ranks: list[float] = []
    queued = order.queued

    def noted(job: int, now: float) -> float:
        ranks.append(queued(job, now))
        return ranks[-1]

    order.queued = noted  # type: ignore[method-assign]
    starts = serve(arrivals, runs, 1, order)

    assert all(rank >= at for rank, at in zip(ranks, arrivals, strict=True))
    late = [start for start, at in zip(starts, arrivals, strict=True) if at > ranks[1]]
    assert all(start >= starts[1] for start in late)


several = st.lists(
    st.tuples(st.sampled_from("aaab"), st.floats(0, 20), st.floats(0.1, 200), st.floats(0.1, 200)), max_size=80
)


@given(several)
def test_new_jobs_come_after_what_is_first_and_that_only_moves_on(found: list[tuple[str, float, float, float]]) -> None:
    """So nothing starves, among several organisations, however wrong the predictions."""
    orgs, gaps, runs, predicted = zip(*found, strict=True) if found else ((), (), (), ())
    arrivals = list(accumulate(gaps))
    order = Shared(Known(predicted), orgs, runs, 2, "learned")
    queued, first = order.queued, [-math.inf]

    def noted(job: int, now: float) -> float:
        lowest = min((share.lowest() for share in order.shares.of.values()), default=math.inf)
        assert min(now, lowest) >= first[-1]
        first.append(min(now, lowest))
        rank = queued(job, now)
        assert rank >= first[-1] + settings.RANK_LEAD_MIN_SECONDS / settings.RANK_STRETCH * (1 - 1e-9)
        return rank

    order.queued = noted  # type: ignore[method-assign]
    serve(arrivals, runs, 2, order)
