"""What people do to jobs and queues."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.db.models.functions import Now
from django.test import RequestFactory

from jobs.errors import IllegalMove, InvalidJob, InvalidPayload, JobNotFound
from jobs.models import Attempt, Job, Lease, Queue, Ready, Transition
from jobs.processes.listener import Listener
from jobs.queue.control import cancel, keep_held, pause, replay, replay_many, resume
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.queue.notify import command_channel
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.models import AuditEntry, Org
from orgs.roles import Role
from orgs.scope import Scope
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
    make_member,
    make_org,
)
from tests.jobs.queue.whole import assert_whole, make_due, path_of

pytestmark = pytest.mark.django_db


def scope_of(world: World, role: Role = Role.ORG_ADMIN) -> Scope:
    return Scope(world.owner, world.org, role)


def own_scope(org: Org) -> Scope:
    return Scope(make_member(org, Role.ORG_ADMIN), org, Role.ORG_ADMIN)


def only_entry(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


# --- cancel ---------------------------------------------------------------------------------------------------------


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
    assert entry.detail == {"became": "cancelled", "reason": "why not"}


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
            " leased_at, renewed_at, expires_at, cancel_requested, progress_message) SELECT id, org_id, queue, type, 1,"
            " gen_random_uuid(), gen_random_uuid(), 'w', 1, now(), now(), now() + interval '1 minute', false, ''"
            " FROM jobs_job"
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


# --- replay ---------------------------------------------------------------------------------------------------------


def test_a_dead_letter_gets_a_new_life_with_its_lineage(world: World) -> None:
    job = make_dead_letter(world.org, max_attempts=2, name="nightly")
    correlation_id = job.correlation_id

    replay(job.pk, scope=scope_of(world))

    job.refresh_from_db()
    assert (job.status, job.life, job.attempt, job.attempt_limit) == ("queued", 2, 1, 3)
    assert (job.correlation_id, job.finished_at, job.error) == (correlation_id, None, "broken")
    (claimed,) = claim_all()
    assert (claimed.attempt, claimed.correlation_id) == (2, correlation_id)
    finish_one(claimed, Outcome.ERROR)
    assert path_of(job.pk)[-1] == "scheduled"
    assert list(Attempt.objects.values_list("number", flat=True)) == [1, 2]
    assert_whole()


def test_a_replay_can_be_repeated(world: World) -> None:
    job = make_dead_letter(world.org, max_attempts=1)
    for life in (2, 3, 4):
        replay(job.pk, scope=scope_of(world))
        (claimed,) = claim_all()
        assert claimed.attempt == life
        finish_one(claimed, Outcome.ERROR)

    job.refresh_from_db()
    assert (job.status, job.life, job.attempt) == ("failed", 4, 4)
    assert AuditEntry.objects.filter(action="job.replay").count() == 3
    assert_whole()


def test_an_edited_payload_is_what_runs_and_both_are_in_the_trail(world: World) -> None:
    job = make_dead_letter(world.org)
    old, new = job.payload, {"task": "demo.add", "kwargs": {"a": 10, "b": 20}}

    replay(job.pk, scope=scope_of(world), payload=new)

    job.refresh_from_db()
    assert (job.payload, job.payload_bytes) == (new, 44)
    assert claim_all()[0].payload == new
    assert only_entry("job.replay").detail == {
        "jobs": [str(job.pk)],
        "old": {"payload": old},
        "new": {"payload": new},
    }


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"task": "no.such"}, InvalidPayload),
        ({"task": "demo.add", "kwargs": {"a": "x", "b": 1}}, InvalidPayload),
        ({"task": "demo.word_count", "kwargs": {"text": "x" * 20_000}}, InvalidJob),
    ],
)
def test_a_bad_edited_payload_is_refused_and_nothing_changes(
    world: World, payload: dict[str, Any], error: type[Exception]
) -> None:
    job = make_dead_letter(world.org)

    with pytest.raises(error):
        replay(job.pk, scope=scope_of(world), payload=payload)

    assert path_of(job.pk)[-1] == "failed"
    assert not AuditEntry.objects.filter(action="job.replay").exists()


@pytest.mark.parametrize("make", [make_job, make_done])
def test_only_a_dead_letter_is_replayed(world: World, make: Callable[..., Job]) -> None:
    job = make(world.org)

    with pytest.raises(IllegalMove):
        replay(job.pk, scope=scope_of(world))

    assert_whole()


def test_a_dead_letter_of_another_organisation_does_not_exist(world: World) -> None:
    job = make_dead_letter(world.rival)

    with pytest.raises(JobNotFound):
        replay(job.pk, scope=scope_of(world))
    assert replay_many([job.pk], scope=scope_of(world)) == 0

    assert path_of(job.pk)[-1] == "failed"


def test_many_are_replayed_those_that_are_dead_letters_of_the_organisation(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(3)]
    others = [make_job(world.org, delay_seconds=60), make_dead_letter(world.rival), make_done(world.org)]

    assert replay_many([job.pk for job in [*dead, *others]] + [uuid4()], scope=scope_of(world)) == 3

    assert {one.job_id for one in claim_all()} == {job.pk for job in dead}
    entry = only_entry("job.replay")
    assert (entry.target, sorted(entry.detail["jobs"])) == ("3 jobs", sorted(str(job.pk) for job in dead))
    assert_whole()


def test_a_replay_into_a_paused_queue_is_held(world: World) -> None:
    job = make_dead_letter(world.org)
    pause("default", scope=scope_of(world))

    replay(job.pk, scope=scope_of(world))

    assert Ready.objects.get().held


@pytest.mark.django_db(transaction=True)
def test_a_replay_from_many_at_once_is_one_new_life() -> None:
    org = make_org()
    job, scope = make_dead_letter(org), own_scope(org)

    outcomes = at_once(*[lambda: replay(job.pk, scope=scope)] * 8)

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, IllegalMove) for outcome in outcomes) == 7
    job.refresh_from_db()
    assert (job.life, Ready.objects.count()) == (2, 1)
    assert AuditEntry.objects.filter(action="job.replay").count() == 1
    assert_whole()


# --- pause and resume -----------------------------------------------------------------------------------------------


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
