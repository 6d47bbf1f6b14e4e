"""What the ticker does for the attempts in a worker's hands."""

import time
from typing import Any

import pytest

from jobs.handlers.base import StopReason
from jobs.processes.executor import Attempt
from jobs.processes.keeper import STOP_GRACE_SECONDS, Keeper, ask
from tests.conftest import World
from tests.factories import WORKER, claim_all, make_job
from tests.jobs.queue.whole import lapse_leases

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(world: World) -> Keeper:
    """With two attempts in hand that nobody runs."""
    make_job(world.org)
    make_job(world.org)
    keeper = Keeper(WORKER, on_abandon=lambda attempt: None)
    for claimed in claim_all():
        keeper.attempts[claimed.token] = Attempt(claimed, held_until=time.monotonic() + 30)
    return keeper


def reasons(keeper: Keeper) -> list[StopReason | None]:
    return [attempt.context.stop_reason for attempt in keeper.attempts.values()]


def test_only_the_attempt_that_lost_its_lease_is_stopped(keeper: Keeper) -> None:
    lost, held = keeper.attempts.values()
    before = held.held_until
    lapse_leases(lost.claimed.job_id)

    keeper.renew()

    assert reasons(keeper) == [StopReason.LEASE_LOST, None]
    assert held.held_until > before


def test_a_handler_that_raises_when_asked_does_not_keep_the_others_from_being_asked(keeper: Keeper) -> None:
    first, _ = keeper.attempts.values()
    first.context.on_stop(lambda: 1 / 0)  # type: ignore[arg-type,return-value]

    keeper.stop_all(StopReason.DRAIN)

    assert reasons(keeper) == [StopReason.DRAIN, StopReason.DRAIN]


def test_a_handler_has_a_grace_from_when_it_was_first_asked(keeper: Keeper) -> None:
    left: list[Attempt] = []
    keeper._on_abandon = left.append
    first, second = keeper.attempts.values()
    for attempt in (first, second):
        ask(attempt, StopReason.CANCELLED)
    assert first.asked_at is not None
    first.asked_at -= STOP_GRACE_SECONDS + 1
    ask(first, StopReason.DRAIN)

    keeper.check_deadlines()
    keeper.check_deadlines()

    assert left == [first]


def test_what_has_ended_is_not_asked_any_more(keeper: Keeper) -> None:
    first, _ = keeper.attempts.values()
    first.over = True
    first.held_until = 0.0

    keeper.check_deadlines()

    assert reasons(keeper) == [None, None]


def test_nothing_in_hand_asks_nothing_of_the_database(django_assert_num_queries: Any) -> None:
    keeper = Keeper(WORKER, on_abandon=lambda attempt: None)

    with django_assert_num_queries(0):
        keeper.renew()
        keeper.flush()
        keeper.check_deadlines()
