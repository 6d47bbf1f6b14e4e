"""Pausing and resuming queues."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.db.models.functions import Now

from jobs.errors import JobNotFound
from jobs.models import Queue, Ready
from jobs.queue.control import cancel, keep_held, pause, resume
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.concurrency import Background
from tests.conftest import World
from tests.factories import (
    claim_all,
    finish_one,
    make_job,
    make_org,
)
from tests.jobs.queue.acts import own_scope, scope_of
from tests.jobs.queue.whole import assert_whole, path_of

pytestmark = pytest.mark.django_db


def only_entry(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


def test_a_pause_holds_what_waits_and_a_resume_frees_it(world: World) -> None:
    jobs = {make_job(world.org).pk for _ in range(3)}
    pause("default", scope=scope_of(world), reason="maintenance")
    keep_held()
    assert Ready.objects.filter(held=True).count() == 3
    assert claim_all() == []

    resume("default", scope=scope_of(world))

    assert {one.job_id for one in claim_all()} == jobs
    assert_whole()


def test_a_pause_says_who_when_and_why(world: World) -> None:
    make_job(world.org)

    pause("default", scope=scope_of(world), reason="maintenance")

    queue = Queue.objects.get(org=world.org)
    assert (queue.paused, queue.paused_by, queue.pause_reason) == (True, world.owner, "maintenance")
    resume("default", scope=scope_of(world))
    queue.refresh_from_db()
    assert (queue.paused, queue.paused_by, queue.pause_reason) == (False, None, "")
    assert list(AuditEntry.objects.order_by("id").values_list("action", "target")) == [
        ("queue.pause", "default"),
        ("queue.resume", "default"),
    ]


def test_a_pause_is_of_one_organisation_and_one_queue(world: World) -> None:
    make_job(world.org)
    free = {make_job(world.rival).pk}
    other = make_job(world.org, queue="other").pk
    pause("default", scope=scope_of(world))
    keep_held()

    assert {one.job_id for one in claim_all()} == free
    assert [one.job_id for one in claim_all(queue="other")] == [other]


def test_a_running_job_ends_in_a_paused_queue(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    pause("default", scope=scope_of(world))

    assert finish_one(claimed)
    assert path_of(job.pk)[-1] == "done"


def test_what_slipped_in_beside_a_pause_or_a_resume_is_set_right_by_the_leader(world: World) -> None:
    slipped = make_job(world.org)
    pause("default", scope=scope_of(world))
    assert not Ready.objects.get().held

    assert keep_held() == 1
    assert Ready.objects.get(job_id=slipped.pk).held
    assert keep_held(everywhere=True) == 0
    Queue.objects.update(paused_at=None)
    assert keep_held() == 1
    assert not Ready.objects.get().held
    assert keep_held() == 0


def test_what_was_left_while_nobody_led_is_looked_for_everywhere(world: World) -> None:
    make_job(world.org)
    pause("default", scope=scope_of(world))
    Queue.objects.update(paused_at=Now() - timedelta(hours=1))

    assert keep_held() == 0
    assert keep_held(everywhere=True) == 1


@pytest.mark.django_db(transaction=True)
def test_an_act_that_stops_half_way_does_not_keep_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when its process is paused between two statements: else nobody could end, renew or take back the job."""
    monkeypatch.setattr("jobs.queue.brief.IDLE_MILLISECONDS", 200)
    org = make_org()
    job, scope = make_job(org), own_scope(org)
    (claimed,) = claim_all()

    def stop(*_: Any, **__: Any) -> None:
        # Meanwhile another wants the row, and has it when the server has ended the session of the one that stopped.
        assert Background(lambda: finish_one(claimed)).result() is True

    monkeypatch.setattr("jobs.queue.control.command", stop)

    with pytest.raises(Error):
        cancel(job.pk, scope=scope)

    connection.close()
    assert path_of(job.pk)[-1] == "done"
    assert_whole()


def test_a_great_backlog_is_held_and_freed_batch_by_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.queue.control.HOLD_BATCH", 40)
    payload = {"task": "demo.fail_always"}
    enqueue_many([NewJob(type="python", payload=payload)] * 100, org=world.org, user=None)
    pause("default", scope=scope_of(world))
    assert [keep_held() for _ in range(4)] == [40, 40, 20, 0]

    resume("default", scope=scope_of(world))

    assert Ready.objects.filter(held=False).count() == 40
    assert [keep_held() for _ in range(3)] == [40, 20, 0]
    assert len(claim_all(slots=200)) == 100


def test_only_an_admin_pauses_and_an_unknown_queue_is_not_found(world: World) -> None:
    make_job(world.org)
    make_job(world.rival, queue="theirs")
    for act in (pause, resume):
        with pytest.raises(PermissionDenied):
            act("default", scope=scope_of(world, Role.OPERATOR))
        for name in ("nothing", "theirs"):
            with pytest.raises(JobNotFound):
                act(name, scope=scope_of(world))
    assert not Queue.objects.filter(paused_at__isnull=False).exists()
