"""What a prediction does to a job's place, and how far others may pass it."""

import heapq
import math
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from jobs.ranking import POLICIES, Tuning, lead_after, priority, rank_offset

milliseconds = st.floats(0, 1e300)
TAU = 60.0
TUNING = Tuning(TAU, typical_ms=2000, rate=5)


def learned(ms: float, urgency: str = "medium") -> float:
    return rank_offset("learned", ms, urgency, TUNING)


@given(milliseconds)
def test_priority_is_strictly_between_zero_and_one(ms: float) -> None:
    assert 0 < priority(ms) < 1


@given(milliseconds, milliseconds, st.sampled_from(POLICIES))
def test_a_shorter_job_never_has_less_priority_or_a_later_place(one: float, other: float, policy: str) -> None:
    shorter, longer = sorted((one, other))

    assert priority(shorter) >= priority(longer)
    assert rank_offset(policy, shorter, "medium", TUNING) <= rank_offset(policy, longer, "medium", TUNING)


@given(st.floats(200, 1e7), st.sampled_from(["learned", "priority"]))
def test_urgency_orders_jobs_of_one_length(ms: float, policy: str) -> None:
    high, medium, low = (rank_offset(policy, ms, urgency, TUNING) for urgency in ("high", "medium", "low"))

    assert high < medium < low


@given(st.floats(10, 1e5), st.floats(1, 1e3))
def test_a_job_x_times_longer_is_put_tau_ln_x_seconds_behind(ms: float, times: float) -> None:
    assert learned(ms * times) - learned(ms) == pytest.approx(TAU * math.log(times), abs=1e-6)


@given(milliseconds, st.sampled_from(["high", "medium", "low"]), st.sampled_from(POLICIES), st.floats(0.001, 1e6))
def test_no_offset_leaves_its_span(ms: float, urgency: str, policy: str, tau: float) -> None:
    offset = rank_offset(policy, ms, urgency, Tuning(tau, 2000, 5))

    assert 0 <= offset <= settings.RANK_SPAN * tau * (1 + 1e-12)


def test_fifo_makes_no_difference_between_jobs_and_is_that_of_a_typical_one() -> None:
    offsets = {rank_offset("fifo", ms, urgency, TUNING) for ms in (1, 1e6) for urgency in ("high", "low")}

    assert offsets == {learned(TUNING.typical_ms)}


def test_priority_is_ordered_by_the_number_that_is_shown() -> None:
    offset = rank_offset("priority", 3000, "medium", TUNING)

    assert offset == pytest.approx(settings.RANK_SPAN * TAU * (1 - priority(3000)))


def test_priority_of_the_scale_is_a_half() -> None:
    assert priority(3000) == pytest.approx(0.5)


def test_a_lead_grows_by_the_cost_over_the_rate() -> None:
    assert lead_after(1.5, 4000, rate=2) == 3.5


# --- the bound ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """A job of an organisation, with tau as it is at that moment, and what it really takes."""

    org: int
    after_seconds: float
    predicted_ms: float
    urgency: str
    tau: float
    runtime_seconds: float


@dataclass(order=True)
class Waiting:
    rank: float
    number: int
    tag: float = field(compare=False)
    span: float = field(compare=False)
    runtime_seconds: float = field(compare=False)


ORGS, SLOTS = 4, 2
TAU_MAX = 500.0
arrivals = st.lists(
    st.builds(
        Arrival,
        # the first one floods
        org=st.sampled_from([0, 0, 0, *range(ORGS)]),
        after_seconds=st.floats(0, 20),
        predicted_ms=st.floats(0, 1e8),
        urgency=st.sampled_from(["high", "medium", "low"]),
        tau=st.floats(0.01, TAU_MAX),
        runtime_seconds=st.floats(0, 100),
    ),
    max_size=60,
)


def tagged(found: list[Arrival], policies: list[str]) -> list[tuple[float, Waiting]]:
    """When each arrives, and with which rank, as the web and the leader make it."""
    now, until, made = 0.0, [0.0] * ORGS, []
    for number, one in enumerate(found):
        now += one.after_seconds
        tuning = Tuning(one.tau, 2000, rate=SLOTS / ORGS)
        lead = max(until[one.org] - now, 0.0)
        until[one.org] = now + lead_after(lead, one.predicted_ms, tuning.rate)
        offset = rank_offset(policies[one.org], one.predicted_ms, one.urgency, tuning)
        tag = now + lead
        made.append((now, Waiting(tag + offset, number, tag, settings.RANK_SPAN * one.tau, one.runtime_seconds)))
    return made


def claimed_in_order(jobs: list[tuple[float, Waiting]]) -> list[tuple[float, Waiting, list[Waiting]]]:
    """(start, job, those that still waited then), by slots that take the lowest rank of what is there."""
    waiting: list[Waiting] = []
    slots, started, coming = [0.0] * SLOTS, [], list(jobs)
    while coming or waiting:
        now = heapq.heappop(slots)
        if not waiting:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            heapq.heappush(waiting, coming.pop(0)[1])
        job = heapq.heappop(waiting)
        started.append((now, job, list(waiting)))
        heapq.heappush(slots, now + job.runtime_seconds)
    return started


@given(arrivals, st.lists(st.sampled_from(POLICIES), min_size=ORGS, max_size=ORGS))
def test_no_job_is_passed_by_work_tagged_more_than_its_span_after_it(found: list[Arrival], policies: list[str]) -> None:
    for _, job, left in claimed_in_order(tagged(found, policies)):
        for passed in left:
            assert job.tag <= passed.tag + passed.span + 1e-6
            assert job.tag <= passed.tag + settings.RANK_SPAN * TAU_MAX + 1e-6


@given(arrivals, st.lists(st.sampled_from(POLICIES), min_size=ORGS, max_size=ORGS))
def test_a_job_waits_no_longer_than_for_what_is_tagged_within_its_span(
    found: list[Arrival], policies: list[str]
) -> None:
    """Whatever arrives: the work that may come before it is bounded, and the slots do it."""
    jobs = tagged(found, policies)
    arrived = {job.number: now for now, job in jobs}
    longest = max((job.runtime_seconds for _, job in jobs), default=0.0)
    for start, job, _ in claimed_in_order(jobs):
        before = sum(other.runtime_seconds for _, other in jobs if other.tag <= job.tag + job.span)
        assert start - arrived[job.number] <= before / SLOTS + longest + 1e-6
