"""Limits: as many jobs at a time, and as many starts in a time, as an organisation has said; and no fewer."""

from typing import Any
from uuid import UUID

import pytest

from jobs.models import EVERY, Limit, LimitScope
from jobs.queue.claim import Ask, Claimed
from jobs.queue.enqueue import enqueue_many
from jobs.queue.limits import Walk, claim_limited
from orgs.models import Org
from tests.conftest import World
from tests.factories import WORKER, claim_all, finish_one
from tests.jobs.queue.acts import new_job

pytestmark = pytest.mark.django_db

TYPES = ("http", "python", "shell")


def limit(org: Org, scope: str, name: str = EVERY, **fields: Any) -> Limit:
    return Limit.objects.create(org=org, scope=scope, name=name, **fields)


def take(slots: int = 100, *, queue: str = "default", walk: Walk | None = None, worker: UUID = WORKER) -> list[Claimed]:
    return claim_limited(Ask(queue, TYPES, slots, worker, "tester-1"), walk or Walk())


def many(org: Org, jobs: int, **fields: Any) -> None:
    enqueue_many([new_job(**fields) for _ in range(jobs)], org=org, user=None)


def test_no_more_than_the_limit_of_a_key_run_at_once(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=2)
    many(world.org, 5, limit_key="k")
    many(world.org, 1, limit_key="other")

    first, second = take(), take()

    assert (len(first), second) == (2, [])
    assert finish_one(first[0])
    assert len(take()) == 1
    assert [one.name for one in claim_all()] == ["demo.add"]
