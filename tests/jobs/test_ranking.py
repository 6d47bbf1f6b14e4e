"""What a prediction does to a job's place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ranking import priority, rank_offset

milliseconds = st.floats(0, 1e300)
TAU = 60.0


@given(milliseconds)
def test_priority_is_strictly_between_zero_and_one(ms: float) -> None:
    assert 0 < priority(ms) < 1


@given(milliseconds, milliseconds)
def test_a_shorter_job_never_has_less_priority_or_a_later_place(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))

    assert priority(shorter) >= priority(longer)
    assert rank_offset(shorter, "medium", TAU) <= rank_offset(longer, "medium", TAU)


@given(milliseconds)
def test_urgency_orders_jobs_of_one_length(ms: float) -> None:
    high, medium, low = (rank_offset(ms, urgency, TAU) for urgency in ("high", "medium", "low"))

    assert high < medium < low


@given(st.floats(1, 1e9), st.floats(1, 1e6))
def test_a_job_x_times_longer_is_passed_only_for_tau_ln_x_seconds(ms: float, times: float) -> None:
    short, long = rank_offset(ms, "medium", TAU), rank_offset(ms * times, "medium", TAU)

    assert long - short == pytest.approx(TAU * math.log(times), abs=1e-6)


def test_priority_of_the_scale_is_a_half() -> None:
    assert priority(3000) == pytest.approx(0.5)
