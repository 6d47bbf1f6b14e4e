"""When a delivery is tried again."""

import random

from hypothesis import given
from hypothesis import strategies as st

from jobs.delivery.retries import DELAYS_SECONDS, JITTER, delay_seconds


def test_the_delays_are_those_that_are_documented() -> None:
    assert DELAYS_SECONDS == (5, 30, 2 * 60, 10 * 60, 3600, 4 * 3600, 12 * 3600, 24 * 3600)


@given(st.integers(1, 8), st.randoms(use_true_random=False))
def test_each_is_the_planned_one_and_a_little_more(failures: int, rng: random.Random) -> None:
    planned = DELAYS_SECONDS[failures - 1]

    assert planned <= (delay_seconds(failures, rng=rng) or 0) <= planned * (1 + JITTER)


@given(st.integers(1, 8), st.floats(0, 3600))
def test_never_before_the_receiver_asked_for_it(failures: int, asked: float) -> None:
    found = delay_seconds(failures, asked=asked, rng=random.Random(1))

    assert found == max(asked, delay_seconds(failures, rng=random.Random(1)) or 0)


@given(st.integers(9, 10_000), st.none() | st.floats(0, 3600))
def test_after_the_ninth_failure_not_again(failures: int, asked: float | None) -> None:
    assert delay_seconds(failures, asked=asked) is None
