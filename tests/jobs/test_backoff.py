"""How long a job waits before its next try."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.backoff import delay_seconds

seconds = st.floats(0, 1e9)


@given(st.integers(-5, 100_000), seconds, seconds, seconds)
def test_a_delay_is_never_negative_and_never_above_the_cap(
    failures: int, base: float, cap: float, jitter: float
) -> None:
    assert 0 <= delay_seconds(failures, base=base, cap=cap, jitter=jitter) <= cap


@given(st.integers(1, 200), st.integers())
def test_one_more_failure_never_waits_less(failures: int, seed: int) -> None:
    this, following = (delay_seconds(count, rng=random.Random(seed)) for count in (failures, failures + 1))

    assert following >= this


@pytest.mark.parametrize(("failures", "least"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32)])
def test_delays_double_and_vary_by_less_than_a_second(failures: int, least: float) -> None:
    delays = {delay_seconds(failures) for _ in range(50)}

    assert all(least <= delay < least + 1 for delay in delays)
    assert len(delays) > 1


def test_jobs_that_failed_together_come_back_apart_at_the_cap_too() -> None:
    delays = {delay_seconds(20) for _ in range(50)}

    assert all(59 <= delay <= 60 for delay in delays)
    assert len(delays) > 1
