"""The circuit breaker, by a clock of the test's own."""

import pytest

from jobs.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(breaker: Breaker, times: int = 1) -> list[bool]:
    return [breaker.failed(most=3, rest_seconds=10.0) for _ in range(times)]


def test_it_opens_after_failures_in_a_row_and_a_success_between_begins_anew(clock: Clock) -> None:
    breaker = Breaker(clock)

    fail(breaker, 2)
    breaker.succeeded()

    assert fail(breaker, 3) == [False, False, True]
    assert not breaker.closed
    assert not breaker.allows()


def test_when_its_time_is_over_one_call_tries(clock: Clock) -> None:
    breaker = Breaker(clock)
    fail(breaker, 3)
    clock.now = 9.9
    assert not breaker.allows()

    clock.now = 10.0

    assert [breaker.allows(), breaker.allows()] == [True, False]


def test_a_try_that_works_closes_it_and_one_that_fails_opens_it_for_another_rest(clock: Clock) -> None:
    breaker = Breaker(clock)
    fail(breaker, 3)
    clock.now = 10.0
    assert breaker.allows()

    assert fail(breaker) == [True]
    clock.now = 19.9
    assert not breaker.allows()
    clock.now = 20.0
    assert breaker.allows()
    breaker.succeeded()

    assert breaker.closed
    assert breaker.allows()


def test_calls_that_began_before_it_opened_do_not_make_its_rest_longer(clock: Clock) -> None:
    breaker = Breaker(clock)
    fail(breaker, 3)
    clock.now = 5.0

    assert fail(breaker) == [False]

    clock.now = 10.0
    assert breaker.allows()
