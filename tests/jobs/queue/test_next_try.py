"""How long until the next try, and what the predictor learns of an end."""

from typing import Any

import pytest
from django.conf import settings

from jobs.models import Attempt, Job, Lease, LogLine, Ready, RunDelta, Transition
from jobs.queue.control import replay
from jobs.queue.finish import Ended, finish, retry_seconds
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_job, make_org
from tests.jobs.queue.acts import claimed_job
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

TABLES = (Job, Ready, Lease, Attempt, Transition, LogLine, RunDelta)


def everything() -> list[Any]:
    """All rows of the queue, to see that nothing changed."""
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES]


@pytest.mark.parametrize(
    ("wish", "seconds"), [(0.0, 0.0), (17.5, 17.5), (-3.0, 0.0), (float("inf"), 365 * 86_400.0), (1e300, 365 * 86_400)]
)
def test_the_wish_of_a_handler_is_kept_within_bounds(world: World, wish: float, seconds: float) -> None:
    _, claimed = claimed_job(world)

    assert retry_seconds(Ended(claimed, Outcome.ERROR, retry_seconds=wish)) == seconds
    assert finish_one(claimed, Outcome.ERROR, retry_seconds=wish)


def test_nonsense_of_a_handler_is_the_backoff(world: World) -> None:
    _, claimed = claimed_job(world)

    assert 2 <= retry_seconds(Ended(claimed, Outcome.ERROR, retry_seconds=float("nan"))) <= 3


def test_the_backoff_starts_anew_with_a_replayed_life_and_ignores_releases(world: World) -> None:
    job = make_dead_letter(world.org)
    for _ in range(3):
        replay(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
        (claimed,) = claim_all()
        finish_one(claimed, Outcome.RELEASED)
        (claimed,) = claim_all()
        assert claimed.failures == 1
        assert retry_seconds(Ended(claimed, Outcome.ERROR)) <= settings.RETRY_BASE_SECONDS + 1
        finish_one(claimed, Outcome.ERROR, permanent=True)


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_same_kinds_do_not_deadlock() -> None:
    org = make_org()
    for _ in range(5):
        for kind in "abcdefgh" * 4:
            make_job(org, name=kind)
        claims = claim_all()
        there = [Ended(one, Outcome.DONE) for one in claims[:16]]
        back = [Ended(one, Outcome.DONE) for one in reversed(claims[16:])]

        first, second = at_once(lambda e=there: finish(e, worker_name="a"), lambda e=back: finish(e, worker_name="b"))

        assert (len(first), len(second)) == (16, 16)
    assert_whole()
