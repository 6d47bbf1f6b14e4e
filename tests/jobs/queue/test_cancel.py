"""Cancelling jobs: waiting, running, and in the middle of a move."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from jobs.errors import IllegalMove, JobNotFound
from jobs.models import Lease, Ready, Transition
from jobs.processes.listener import Listener
from jobs.queue.control import cancel, replay
from jobs.queue.notify import command_channel
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.concurrency import Background, at_once, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import (
    WORKER,
    claim_all,
    finish_one,
    make_dead_letter,
    make_done,
    make_job,
    make_org,
)
from tests.jobs.queue.acts import own_scope, scope_of
from tests.jobs.queue.whole import assert_whole, make_due, path_of

pytestmark = pytest.mark.django_db


def only_entry(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


@pytest.mark.parametrize("fields", [{}, {"delay_seconds": 60}])
def test_a_waiting_job_is_cancelled_at_once(world: World, fields: dict[str, Any]) -> None:
    job = make_job(world.org, **fields)

    assert cancel(job.pk, scope=scope_of(world), reason="not needed") == "cancelled"

    job.refresh_from_db()
    assert job.status == "cancelled"
    assert job.finished_at is not None
    last = Transition.objects.filter(job_id=job.pk).latest("id")
    assert (last.to_status, last.actor, last.reason) == ("cancelled", "user:owner", "not needed")
    assert claim_all() == []
    assert_whole()


def test_the_worker_of_a_running_job_is_asked(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()

    assert cancel(job.pk, scope=scope_of(world)) == "cancelling"

    assert Lease.objects.get().cancel_requested
    assert path_of(job.pk)[-1] == "running"
    finish_one(claimed, Outcome.CANCELLED)
    assert path_of(job.pk) == ["queued", "running", "cancelled"]
    assert_whole()


def test_a_job_that_waits_for_its_next_try_is_cancelled(world: World) -> None:
    job = make_job(world.org)
    finish_one(claim_all()[0], Outcome.ERROR)

    assert cancel(job.pk, scope=scope_of(world)) == "cancelled"

    make_due()
    assert promote() == 0
    assert_whole()


def test_a_job_that_has_ended_cannot_be_cancelled(world: World) -> None:
    for job in (make_done(world.org), make_dead_letter(world.org)):
        with pytest.raises(IllegalMove) as refused:
            cancel(job.pk, scope=scope_of(world))
        assert refused.value.context == {"status": job.status}
    assert not AuditEntry.objects.filter(action="job.cancel").exists()


def test_a_job_of_another_organisation_does_not_exist(world: World) -> None:
    waiting, running, planned = make_job(world.rival), make_job(world.rival), make_job(world.rival, delay_seconds=60)
    Ready.objects.filter(job_id=waiting.pk).update(held=True)
    claim_all()
    for job_id in (waiting.pk, running.pk, planned.pk, uuid4()):
        with pytest.raises(JobNotFound):
            cancel(job_id, scope=scope_of(world))

    assert not Lease.objects.filter(cancel_requested=True).exists()
    assert_whole()


@pytest.mark.parametrize(
    ("role", "acts"), [(Role.VIEWER, []), (Role.OPERATOR, ["cancel", "replay"]), (Role.ORG_ADMIN, ["cancel", "replay"])]
)
def test_who_may_cancel_and_replay(world: World, role: Role, acts: list[str]) -> None:
    scope = scope_of(world, role)
    dead, waiting = make_dead_letter(world.org), make_job(world.org)
    calls: dict[str, Callable[[], Any]] = {
        "cancel": lambda: cancel(waiting.pk, scope=scope),
        "replay": lambda: replay(dead.pk, scope=scope),
    }
    done = []
    for name, call in calls.items():
        try:
            call()
            done.append(name)
        except PermissionDenied:
            pass

    assert done == acts


def test_a_cancellation_is_in_the_trail(world: World) -> None:
    job = make_job(world.org)
    request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.7")
    request.correlation_id = "corr-1"  # type: ignore[attr-defined]

    cancel(job.pk, scope=scope_of(world), request=request, reason="why not")

    entry = only_entry("job.cancel")
    assert (entry.org, entry.actor, entry.target) == (world.org, world.owner, str(job.pk))
    assert (entry.address, entry.correlation_id) == ("192.0.2.7", "corr-1")
    assert entry.detail == {"old": "queued", "new": "cancelled", "reason": "why not"}


@pytest.mark.django_db(transaction=True)
def test_the_worker_hears_of_a_cancellation_after_the_commit() -> None:
    org = make_org()
    job = make_job(org)
    claim_all()
    listener = Listener()
    listener.listen([command_channel(WORKER)])

    cancel(job.pk, scope=own_scope(org))

    assert eventually(listener.received) == [(command_channel(WORKER), "renew")]
    listener.close()


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_that_meets_a_claim_reaches_the_lease() -> None:
    """The claim has the row: the cancellation waits, sees it gone, and looks again."""
    org = make_org()
    job, scope = make_job(org), own_scope(org)
    with elsewhere() as claimer:
        claimer.execute("SELECT FROM jobs_ready FOR UPDATE")
        cancellation = Background(lambda: cancel(job.pk, scope=scope))
        eventually(waiting_for_locks)
        claimer.execute("DELETE FROM jobs_ready")
        claimer.execute(
            "INSERT INTO jobs_lease (job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms,"
            " name, rank_offset, attempt_limit, leased_at, renewed_at, expires_at, cancel_requested, progress_message)"
            " SELECT id, org_id, queue, type, 1, gen_random_uuid(), gen_random_uuid(), 'w', 1, name, rank_offset,"
            " attempt_limit, now(), now(), now() + interval '1 minute', false, '' FROM jobs_job"
        )
        claimer.execute("COMMIT")

        assert cancellation.result() == "cancelling"

    assert Lease.objects.get().cancel_requested


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_that_meets_a_promotion_takes_the_job_from_the_queue() -> None:
    org = make_org()
    job, scope = make_job(org, delay_seconds=60), own_scope(org)
    make_due()
    outcomes = at_once(promote, lambda: cancel(job.pk, scope=scope))

    assert outcomes[1] == "cancelled"
    assert path_of(job.pk) in (["scheduled", "cancelled"], ["scheduled", "queued", "cancelled"])
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_cancellations_among_claims_and_ends_leave_every_job_whole() -> None:
    org = make_org()
    scope = own_scope(org)
    for _ in range(15):
        job = make_job(org)

        def work() -> None:
            for claimed in claim_all():
                finish_one(claimed, Outcome.DONE)

        _, cancelled = at_once(work, lambda job=job: cancel(job.pk, scope=scope))
        work()

        path = path_of(job.pk)
        if cancelled == "cancelled":
            assert path == ["queued", "cancelled"]
        else:  # asked too late to be heard, or after the end
            assert cancelled == "cancelling" or isinstance(cancelled, IllegalMove)
            assert path == ["queued", "running", "done"]
        assert_whole()
