"""Every end of a job is told to those who asked for it: in the transaction of the end, once, and to nobody else."""

from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from jobs.models import Delivery, Job
from jobs.queue import sql
from jobs.queue.control import cancel, replay
from jobs.queue.finish import Ended, finish
from jobs.queue.promote import promote
from jobs.queue.release import release
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import (
    claim_all,
    finish_one,
    make_alert,
    make_dead_letter,
    make_done,
    make_job,
    make_webhook,
)
from tests.jobs.queue.acts import scope_of
from tests.jobs.queue.whole import lapse_leases, make_due

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, UUID | None]]:
    return list(Delivery.objects.order_by("id").values_list("event", "job_id"))


def test_done_failed_and_cancelled_are_told(world: World) -> None:
    make_webhook(world.org)

    done, dead, waiting = make_done(world.org), make_dead_letter(world.org), make_job(world.org, delay_seconds=60)
    cancel(waiting.pk, scope=scope_of(world))

    assert sorted(told()) == sorted([("job.done", done.pk), ("job.failed", dead.pk), ("job.cancelled", waiting.pk)])


def test_what_is_told_is_what_was_so(world: World) -> None:
    make_webhook(world.org)
    job = make_dead_letter(world.org, title="Sum", queue="reports")

    delivery = Delivery.objects.get()

    assert delivery.correlation_id == job.correlation_id
    assert (delivery.org_id, delivery.status, delivery.attempt) == (world.org.pk, Delivery.PENDING, 0)
    assert delivery.data == {
        "job": {
            "id": str(job.pk),
            "type": "python",
            "name": "demo.add",
            "title": "Sum",
            "queue": "reports",
            "status": "failed",
            "attempt": 1,
            "life": 1,
            "batch_id": None,
            "outcome": "error",
            "error_type": "ValueError",
            "error": "broken",
            "runtime_ms": job.runtime_ms,
            "correlation_id": job.correlation_id,
            "created_at": f"{job.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "started_at": f"{job.started_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "finished_at": f"{job.finished_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
    }


def test_a_long_error_is_cut(world: World) -> None:
    make_webhook(world.org)
    make_job(world.org)
    finish_one(claim_all()[0], Outcome.ERROR, error="x" * 8_000, permanent=True)

    assert Delivery.objects.get().data["job"]["error"] == "x" * 500


def test_a_retry_and_a_release_are_no_ends(world: World) -> None:
    make_webhook(world.org)
    make_job(world.org, max_attempts=2)
    finish_one(claim_all()[0], Outcome.ERROR)
    make_due()
    promote()
    (again,) = claim_all()
    finish_one(again, Outcome.RELEASED)
    assert told() == []

    finish_one(claim_all()[0], Outcome.ERROR)

    assert [event for event, _ in told()] == ["job.failed"]


def test_a_lost_lease_tells_of_a_poison_jobs_last_attempt(world: World) -> None:
    make_webhook(world.org)
    job = make_job(world.org, max_attempts=1)
    claim_all()
    lapse_leases()

    sql.run("rescue", batch=10, actor="watchdog")

    assert told() == [("job.failed", job.pk)]


def test_a_fenced_end_tells_nothing(world: World) -> None:
    make_webhook(world.org)
    make_job(world.org, max_attempts=3)
    (late,) = claim_all()
    lapse_leases()
    sql.run("rescue", batch=10, actor="watchdog")

    assert not finish_one(late)

    assert told() == []
    assert finish_one(claim_all()[0])
    assert not finish_one(late)
    assert [event for event, _ in told()] == ["job.done"]


def test_a_running_job_that_is_cancelled_is_told_of_when_it_has_ended(world: World) -> None:
    make_webhook(world.org)
    job = make_job(world.org)
    (claimed,) = claim_all()
    cancel(job.pk, scope=scope_of(world))
    assert told() == []

    finish_one(claimed, Outcome.ERROR)

    assert told() == [("job.cancelled", job.pk)]


def test_a_job_whose_dependency_is_broken_is_told_of(world: World) -> None:
    make_webhook(world.org, events=["job.cancelled"])
    parent = make_job(world.org)
    child = make_job(world.org, after=[parent.pk])
    finish_one(claim_all()[0], Outcome.ERROR, permanent=True)

    release()

    assert told() == [("job.cancelled", child.pk)]
    assert Delivery.objects.get().data["job"]["finished_at"]


def test_each_life_has_its_own_end(world: World) -> None:
    make_webhook(world.org)
    dead = make_dead_letter(world.org)
    replay(dead.pk, scope=scope_of(world))
    finish_one(claim_all()[0])

    assert told() == [("job.failed", dead.pk), ("job.done", dead.pk)]
    assert [one.data["job"]["life"] for one in Delivery.objects.order_by("id")] == [1, 2]


@pytest.mark.parametrize(
    ("fields", "heard"),
    [
        ({}, 2),
        ({"events": ["job.failed"]}, 1),
        ({"events": ["job.cancelled"]}, 0),
        ({"types": ["python", "http"]}, 2),
        ({"types": ["http"]}, 0),
        ({"active": False}, 0),
    ],
)
def test_only_what_was_asked_for_is_told(world: World, fields: dict[str, Any], heard: int) -> None:
    make_webhook(world.org, **fields)

    make_done(world.org)
    make_dead_letter(world.org)

    assert len(told()) == heard


def test_no_other_organisation_hears_of_it(world: World) -> None:
    theirs = make_webhook(world.rival)
    make_alert(world.rival, events=["job.done", "job.failed", "job.cancelled"])

    make_done(world.org)
    make_dead_letter(world.org)
    cancel(make_job(world.org).pk, scope=scope_of(world))
    assert told() == []

    make_done(world.rival)
    assert set(Delivery.objects.values_list("org_id", flat=True)) == {world.rival.pk}
    assert Delivery.objects.filter(subscriber=theirs).count() == 1


def test_many_ends_at_once_are_told_to_many_once_each(world: World) -> None:
    subscribers = [make_webhook(world.org), make_webhook(world.org), make_alert(world.org, events=["job.done"])]
    jobs = [make_job(world.org) for _ in range(50)]
    strangers = [make_job(world.rival) for _ in range(10)]

    finish([Ended(one, Outcome.DONE) for one in claim_all()], worker_name="tester-1")

    pairs = list(Delivery.objects.values_list("subscriber_id", "job_id"))
    assert len(pairs) == len(set(pairs)) == 150
    assert set(pairs) == {(one.pk, job.pk) for one in subscribers for job in jobs}
    assert Job.objects.filter(status="done").count() == 50 + len(strangers)


def test_what_is_rolled_back_with_the_end_was_not_told(world: World) -> None:
    make_webhook(world.org)
    make_job(world.org)
    (claimed,) = claim_all()
    with transaction.atomic():
        finish_one(claimed)
        assert len(told()) == 1
        transaction.set_rollback(True)

    assert told() == []


def test_ids_are_version_7_in_order_of_time(world: World) -> None:
    make_webhook(world.org)
    for _ in range(20):
        make_done(world.org)

    ids = list(Delivery.objects.values_list("id", "created_at"))

    assert all(UUID(str(found)).version == 7 for found, _ in ids)
    for found, at in ids:
        assert abs((UUID(str(found)).int >> 80) - at.timestamp() * 1000) < 50
