"""What a prediction does to a job's place, and how far others may pass it."""

import heapq
import math
from dataclasses import dataclass, field
from itertools import accumulate

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from jobs.ranking import POLICIES, Tuning, base, lead_after, priority, rank_offset

milliseconds = st.floats(0, 1e300)
TAU = 60.0
TUNING = Tuning(TAU, typical_ms=2000, rate=5, spread=2.0)


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


@given(st.floats(1000, 4000), st.sampled_from(["learned", "priority"]))
def test_urgency_orders_jobs_of_one_length(ms: float, policy: str) -> None:
    high, medium, low = (rank_offset(policy, ms, urgency, TUNING) for urgency in ("high", "medium", "low"))

    assert high < medium < low


def test_the_wait_of_a_usual_job_is_not_stretched() -> None:
    assert learned(TUNING.typical_ms) == TAU


@given(st.floats(-1, 1))
def test_a_spread_more_counts_as_the_power_says(spreads: float) -> None:
    ms = TUNING.typical_ms * math.exp(TUNING.spread * spreads)

    assert learned(ms) == pytest.approx(TAU * math.exp(settings.RANK_POWER * spreads))


@given(
    milliseconds, st.sampled_from(["high", "medium", "low"]), st.sampled_from(POLICIES), st.floats(0.001, 1e6),
    st.floats(1, 1e9), st.floats(0, 20),
)  # fmt: skip
def test_no_wait_is_stretched_beyond_its_bounds(
    ms: float, urgency: str, policy: str, lead: float, typical_ms: float, spread: float
) -> None:
    offset = rank_offset(policy, ms, urgency, Tuning(lead, typical_ms, 5, spread))

    lead = max(lead, settings.RANK_LEAD_MIN_SECONDS)
    assert lead / settings.RANK_STRETCH * (1 - 1e-9) <= offset <= settings.RANK_STRETCH * lead * (1 + 1e-9)


def test_fifo_makes_no_difference_between_jobs() -> None:
    assert {rank_offset("fifo", ms, urgency, TUNING) for ms in (1, 1e6) for urgency in ("high", "low")} == {TAU}


def test_priority_is_ordered_by_the_number_that_is_shown() -> None:
    assert rank_offset("priority", 3000, "medium", TUNING) == pytest.approx(TAU)
    assert rank_offset("priority", 1e12, "medium", TUNING) == pytest.approx(TAU * settings.RANK_STRETCH, rel=0.01)


def test_priority_of_the_scale_is_a_half() -> None:
    assert priority(3000) == pytest.approx(0.5)


def test_a_lead_grows_by_the_cost_over_the_rate() -> None:
    assert lead_after(1.5, 4000, rate=2) == 3.5


# --- the bound ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """A job of an organisation, what is usual there by what is known at that moment, and what it really takes."""

    org: int
    after_seconds: float
    predicted_ms: float
    urgency: str
    typical_ms: float
    spread: float
    runtime_seconds: float


@dataclass(order=True)
class Waiting:
    rank: float
    number: int
    org: int = field(compare=False)
    base: float = field(compare=False)
    # Its wait in order of arrival in its organisation's share.
    lead: float = field(compare=False)
    runtime_seconds: float = field(compare=False)


ORGS, SLOTS = 4, 2
arrivals = st.lists(
    st.builds(
        Arrival,
        # the first one floods
        org=st.sampled_from([0, 0, 0, *range(ORGS)]),
        after_seconds=st.floats(0, 20),
        predicted_ms=st.floats(0, 1e8),
        urgency=st.sampled_from(["high", "medium", "low"]),
        typical_ms=st.floats(1, 1e8),
        spread=st.floats(0, 5),
        runtime_seconds=st.floats(0, 100),
    ),
    max_size=60,
)
policies = st.lists(st.sampled_from(POLICIES), min_size=ORGS, max_size=ORGS)


class Queue:
    """As the web, the leader and the claims have it: what waits, and the lead of each organisation."""

    def __init__(self, policies: list[str]) -> None:
        self.policies = policies
        self.waiting: list[Waiting] = []
        self.until = [0.0] * ORGS

    def put(self, now: float, number: int, one: Arrival) -> None:
        lead = max(self.until[one.org] - now, 0.0)
        self.until[one.org] = now + lead_after(lead, one.predicted_ms, SLOTS / ORGS)
        lead = max(lead, settings.RANK_LEAD_MIN_SECONDS)
        tuning = Tuning(lead, one.typical_ms, SLOTS / ORGS, one.spread)
        begins = base(now, min((there.rank for there in self.waiting if there.org != one.org), default=None))
        rank = begins + rank_offset(self.policies[one.org], one.predicted_ms, one.urgency, tuning)
        heapq.heappush(self.waiting, Waiting(rank, number, one.org, begins, lead, one.runtime_seconds))


def claimed_in_order(found: list[Arrival], policies: list[str]) -> list[tuple[Waiting, list[Waiting]]]:
    """(job, those that still waited when it was claimed), by slots that take the lowest rank of what is there."""
    queue, slots, claimed = Queue(policies), [0.0] * SLOTS, []
    times = list(accumulate(one.after_seconds for one in found))
    coming = list(zip(times, range(len(found)), found, strict=True))
    while coming or queue.waiting:
        now = heapq.heappop(slots)
        if not queue.waiting:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            queue.put(*coming.pop(0))
        job = heapq.heappop(queue.waiting)
        claimed.append((job, list(queue.waiting)))
        heapq.heappush(slots, now + job.runtime_seconds)
    return claimed


@given(arrivals, policies)
def test_what_passes_a_job_has_a_lead_of_no_more_than_its_own_stretched_twice(
    found: list[Arrival], policies: list[str]
) -> None:
    """So all that may come before it would be done in STRETCH^2 times its wait in order of arrival."""
    most = settings.RANK_STRETCH
    for job, left in claimed_in_order(found, policies):
        for passed in left:
            assert job.base + job.lead / most <= passed.base + passed.lead * most + 1e-6
            assert job.base + job.lead <= passed.base + passed.lead * most**2 + 1e-6 or job.base < passed.base


@given(arrivals, policies)
def test_none_is_put_before_all_that_the_others_have(found: list[Arrival], policies: list[str]) -> None:
    for job, left in claimed_in_order(found, policies):
        assert all(job.rank <= other.rank for other in left)
        assert job.rank > job.base
