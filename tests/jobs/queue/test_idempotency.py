"""Repeated submissions: one key, one job, for a day."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from jobs.errors import KeyReused
from jobs.models import Job, Ready
from jobs.queue.enqueue import Enqueued, enqueue_many
from jobs.queue.upkeep import expire_keys
from tests.conftest import World
from tests.jobs.queue.acts import enqueue_as, new_job
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


def test_a_repeated_key_gives_the_job_that_is_there(world: World) -> None:
    first = enqueue_as(world.org, idempotency_key="k1")

    again = enqueue_as(world.org, idempotency_key="k1")

    assert (again.job_id, again.created) == (first.job_id, False)
    assert Job.objects.count() == Ready.objects.count() == 1
    assert_whole()


@pytest.mark.parametrize(
    "change", [{"payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 3}}}, {"urgency": "high"}, {"title": "other"}]
)
def test_a_key_used_for_something_else_is_refused(world: World, change: dict[str, Any]) -> None:
    enqueue_as(world.org, idempotency_key="k1")

    with pytest.raises(KeyReused):
        enqueue_as(world.org, idempotency_key="k1", **change)


def test_keys_of_two_organisations_are_not_alike(world: World) -> None:
    enqueue_as(world.org, idempotency_key="k1")

    assert enqueue_as(world.rival, idempotency_key="k1").created


def test_a_key_twice_in_one_batch_makes_one_job(world: World) -> None:
    other = new_job(idempotency_key="k1", urgency="high")
    batch = [new_job(idempotency_key="k1"), new_job(idempotency_key="k2"), new_job(idempotency_key="k1"), other]

    first, second, repeat, changed = enqueue_many(batch, org=world.org, user=None)

    assert isinstance(first, Enqueued)
    assert isinstance(second, Enqueued)
    assert repeat == Enqueued(first.job_id, created=False)
    assert isinstance(changed, KeyReused)
    assert Job.objects.count() == 2


def test_a_key_may_be_used_again_after_its_day_by_the_database_clock(world: World) -> None:
    old, young = enqueue_as(world.org, idempotency_key="old"), enqueue_as(world.org, idempotency_key="young")
    Job.objects.filter(pk=old.job_id).update(created_at=timezone.now() - timedelta(hours=24, seconds=5))

    more = expire_keys()

    assert not more
    assert enqueue_as(world.org, idempotency_key="old").created
    assert not enqueue_as(world.org, idempotency_key="young").created
    assert Job.objects.get(pk=young.job_id).idempotency_key == "young"


def test_keys_end_in_bounded_batches(world: World) -> None:
    enqueue_many([new_job(idempotency_key=f"k{number}") for number in range(3)], org=world.org, user=None)
    Job.objects.update(created_at=timezone.now() - timedelta(hours=25))

    assert [expire_keys(batch=2), expire_keys(batch=2)] == [True, False]


def test_what_python_may_put_in_a_payload_is_compared_as_json(world: World) -> None:
    order = UUID(int=7)
    first = enqueue_as(world.org, type="http", payload=noting(order), idempotency_key="k")

    again = enqueue_as(world.org, type="http", payload=noting(str(order)), idempotency_key="k")

    assert (again.job_id, again.created) == (first.job_id, False)


def noting(value: Any) -> dict[str, Any]:
    return {"url": "https://example.com/", "method": "POST", "json": {"order": value}}
