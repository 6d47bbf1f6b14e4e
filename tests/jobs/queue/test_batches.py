"""Batches: all jobs or none, counts that are exact, and a callback that comes once."""

from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied

from jobs.errors import BatchRefused, JobNotFound
from jobs.handlers import registry
from jobs.models import Batch, Ending, Job, Lease
from jobs.queue.batches import Callback, EnqueuedBatch, cancel_batch, enqueue_batch
from jobs.queue.callbacks import call_back, sweep
from jobs.queue.control import cancel, replay
from jobs.queue.finish import Ended, finish, finish_params
from jobs.queue.release import release
from jobs.queue.sql import rows
from jobs.states import Outcome
from orgs.models import AuditEntry, Org
from orgs.roles import Role
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import new_job, scope_of
from tests.jobs.queue.graphs import queued, statuses
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

REPORT = new_job(
    name="report", queue="reports", urgency="high", payload={"task": "demo.add", "kwargs": {"a": 0, "b": 0}}
)


def make_batch(org: Org, jobs: int = 3, when: str = "", **fields: Any) -> EnqueuedBatch:
    callback = Callback(REPORT, when) if when else None
    return enqueue_batch([new_job() for _ in range(jobs)], org=org, user=None, callback=callback, **fields)


def end(*job_ids: UUID, outcome: Outcome = Outcome.DONE) -> None:
    """End these, which must be waiting in the queue, and do what the leader then does."""
    claims = [one for one in claim_all() if one.job_id in job_ids]
    assert len(claims) == len(job_ids)
    error = {"error_type": "ValueError", "permanent": True} if outcome is Outcome.ERROR else {}
    finish([Ended(one, outcome, **error) for one in claims], worker_name="tester-1")  # type: ignore[arg-type]
    sweep_all()


def end_in_turn(*outcomes: Outcome) -> None:
    """End the waiting jobs, oldest first."""
    claims = claim_all()
    for claimed, outcome in zip(claims, outcomes, strict=True):
        error = {"error_type": "ValueError", "permanent": True} if outcome is Outcome.ERROR else {}
        finish_one(claimed, outcome, **error)
    sweep_all()


def sweep_all() -> None:
    while sweep():
        pass


def counts(batch_id: UUID) -> tuple[int, int, int, int]:
    batch = Batch.objects.get(pk=batch_id)
    return batch.total, batch.done, batch.failed, batch.cancelled


def callbacks() -> list[Job]:
    return list(Job.objects.filter(queue="reports"))


# --- making one -----------------------------------------------------------------------------------------------------


def test_the_jobs_of_a_batch_are_queued_with_it(world: World) -> None:
    made = enqueue_batch(
        [new_job(ref="a", title="1"), new_job(after=["a"], title="2")],
        org=world.org,
        user=world.operator,
        name="nightly",
    )

    batch = Batch.objects.get()
    assert (batch.pk, batch.org, batch.name, batch.total, batch.created_by) == (
        made.batch_id, world.org, "nightly", 2, world.operator,
    )  # fmt: skip
    assert [Job.objects.get(pk=job_id).title for job_id in made.job_ids] == ["1", "2"]
    assert set(Job.objects.values_list("batch_id", "status")) == {
        (batch.pk, "queued"),
        (batch.pk, "scheduled"),
    }
    assert set(Job.objects.values_list("correlation_id", flat=True)) == {batch.correlation_id}
    assert_whole()


def test_one_bad_job_refuses_the_whole_batch_and_says_where(world: World) -> None:
    jobs = [new_job(), new_job(urgency="odd"), new_job(idempotency_key="k"), new_job(type="none")]

    with pytest.raises(BatchRefused) as caught:
        enqueue_batch(jobs, org=world.org, user=None, callback=Callback(new_job(after=[UUID(int=1)]), "never"))

    assert [(pointer, error.code) for pointer, error in caught.value.errors] == [
        ("/jobs/1", "validation"),
        ("/jobs/2", "validation"),
        ("/jobs/3", "unknown_job_type"),
        ("/callback/job", "validation"),
        ("/callback", "validation"),
    ]
    assert not Batch.objects.exists()
    assert not Job.objects.exists()


def test_a_parent_that_is_not_there_refuses_the_whole_batch(world: World) -> None:
    with pytest.raises(BatchRefused) as caught:
        enqueue_batch([new_job(), new_job(after=[make_job(world.rival).pk])], org=world.org, user=None)

    assert [pointer for pointer, _ in caught.value.errors] == ["/jobs/1"]
    assert not Batch.objects.exists()
    assert not Job.objects.for_org(world.org).exists()


def test_an_empty_batch_is_refused(world: World) -> None:
    with pytest.raises(BatchRefused):
        enqueue_batch([], org=world.org, user=None)


# --- counts and callback --------------------------------------------------------------------------------------------


def test_a_batch_counts_its_jobs_as_they_end(world: World) -> None:
    made = make_batch(world.org, 4)
    cancel(made.job_ids[3], scope=scope_of(world))

    first, *others = claim_all()
    finish_one(first)
    sweep_all()
    half = (counts(made.batch_id), Batch.objects.get().finished_at)
    finish_one(others[0], Outcome.ERROR, error_type="E", permanent=True)
    finish_one(others[1])
    sweep_all()

    assert half == ((4, 1, 0, 1), None)
    assert counts(made.batch_id) == (4, 2, 1, 1)
    assert Batch.objects.get().finished_at is not None
    assert not Ending.objects.exists()


def test_a_retry_does_not_count(world: World) -> None:
    made = make_batch(world.org, 1)

    finish_one(claim_all()[0], Outcome.ERROR)
    sweep_all()

    assert counts(made.batch_id) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("when", "last", "called"),
    [
        ("success", Outcome.DONE, True),
        ("success", Outcome.ERROR, False),
        ("success", Outcome.CANCELLED, False),
        ("end", Outcome.DONE, True),
        ("end", Outcome.ERROR, True),
        ("end", Outcome.CANCELLED, True),
    ],
)
def test_the_callback_comes_when_its_condition_holds(world: World, when: str, last: Outcome, called: bool) -> None:
    made = make_batch(world.org, 2, when, correlation_id="c-1")
    first, second = claim_all()
    finish_one(first)
    sweep_all()
    before = callbacks()

    error = {"error_type": "E", "permanent": True} if last is Outcome.ERROR else {}
    finish_one(second, last, **error)
    sweep_all()

    assert not before
    assert len(callbacks()) == called
    batch = Batch.objects.get()
    assert batch.finished_at
    assert batch.callback_due_at is None
    if called:
        (job,) = callbacks()
        assert batch.callback_job_id == job.pk
        assert (job.name, job.urgency, job.payload, job.status) == ("report", "high", REPORT.payload, "queued")
        assert (job.batch_id, job.correlation_id) == (None, "c-1")
    assert counts(made.batch_id)[0] == 2
    assert_whole()


def test_a_replay_takes_its_failure_back_and_may_bring_the_callback(world: World) -> None:
    made = make_batch(world.org, 2, "success")
    end_in_turn(Outcome.DONE, Outcome.ERROR)
    failed = Job.objects.get(status="failed")

    replay(failed.pk, scope=scope_of(world))
    sweep_all()
    again = (counts(made.batch_id), Batch.objects.get().finished_at, len(callbacks()))
    end(failed.pk)

    assert again == ((2, 1, 0, 0), None, 0)
    assert counts(made.batch_id) == (2, 2, 0, 0)
    assert len(callbacks()) == 1


def test_a_replay_does_not_bring_the_callback_twice(world: World) -> None:
    made = make_batch(world.org, 2, "end")
    end_in_turn(Outcome.DONE, Outcome.ERROR)
    failed = Job.objects.get(status="failed")

    replay(failed.pk, scope=scope_of(world))
    end(failed.pk)

    assert counts(made.batch_id) == (2, 2, 0, 0)
    assert len(callbacks()) == 1


def test_what_falls_with_a_failure_is_counted_too(world: World) -> None:
    made = enqueue_batch(
        [new_job(ref="a"), new_job(ref="b", after=["a"]), new_job(after=["b"])],
        org=world.org,
        user=None,
        callback=Callback(REPORT),
    )

    end(made.job_ids[0], outcome=Outcome.ERROR)

    assert statuses(made.job_ids) == ["failed", "cancelled", "cancelled"]
    assert counts(made.batch_id) == (3, 0, 1, 2)
    assert len(callbacks()) == 1


def test_a_callback_that_cannot_be_accepted_is_said_and_not_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its type is no longer served when the batch ends, say."""
    made = make_batch(world.org, 1, "end")
    Batch.objects.update(callback={"type": "gone", "payload": {}})

    end(*made.job_ids)

    batch = Batch.objects.get()
    assert batch.callback_error.startswith("There is no job type 'gone'")
    assert batch.finished_at
    assert not sweep()
    assert "gone" not in registry.types()


def test_a_batch_may_wait_for_jobs_and_jobs_for_its_callback_job(world: World) -> None:
    first = make_job(world.org)
    made = enqueue_batch([new_job(after=[first.pk])], org=world.org, user=None, callback=Callback(REPORT))
    end(first.pk)

    end(*made.job_ids)

    assert queued() == {Batch.objects.get().callback_job_id}


# --- races ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_counts_are_exact_and_the_callback_single_when_all_end_at_once() -> None:
    made = make_batch(make_org(), 24, "success")
    claims = claim_all()

    results = at_once(*[lambda part=claims[n::6]: [finish_one(one) for one in part] for n in range(6)])

    sweep_all()
    assert results == [[True] * 4] * 6
    assert counts(made.batch_id) == (24, 24, 0, 0)
    assert len(callbacks()) == 1
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_two_that_call_back_at_once_enqueue_one_job() -> None:
    made = make_batch(make_org(), 1, "end")
    rows("finish", **finish_params([Ended(claim_all()[0], Outcome.DONE)], "tester-1"))
    assert release().callback

    at_once(call_back, call_back, call_back)

    assert len(callbacks()) == 1
    assert counts(made.batch_id) == (1, 1, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_the_callback_follows_the_last_end_without_the_leader() -> None:
    make_batch(make_org(), 2, "success")

    for claimed in claim_all():
        finish_one(claimed)

    assert len(callbacks()) == 1


# --- cancelling -----------------------------------------------------------------------------------------------------


def test_cancelling_a_batch_cancels_what_has_not_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.queue.batches.CANCEL_BATCH", 2)
    made = make_batch(world.org, 5, "end")
    other = make_job(world.org, queue="other")
    done, running = claim_all(slots=2)
    finish_one(done)

    became = cancel_batch(made.batch_id, scope=scope_of(world), reason="not needed")
    sweep_all()

    assert became == {"cancelled": 3, "cancelling": 1}
    assert Lease.objects.get().cancel_requested
    assert counts(made.batch_id) == (5, 1, 0, 3)
    assert Job.objects.get(pk=other.pk).status == "queued"
    # each with those that were cancelled in its transaction
    entries = AuditEntry.objects.filter(action="batch.cancel", target=str(made.batch_id))
    assert sum(entry.detail["cancelled"] for entry in entries) == 3
    assert sum(entry.detail["cancelling"] for entry in entries) == 1
    finish_one(running, Outcome.CANCELLED)
    sweep_all()
    assert counts(made.batch_id) == (5, 1, 0, 4)
    assert len(callbacks()) == 1
    assert_whole()


def test_a_batch_of_another_organisation_is_not_there(world: World) -> None:
    made = make_batch(world.rival)

    with pytest.raises(JobNotFound):
        cancel_batch(made.batch_id, scope=scope_of(world))

    assert set(statuses(made.job_ids)) == {"queued"}


def test_a_viewer_cancels_nothing(world: World) -> None:
    made = make_batch(world.org)

    with pytest.raises(PermissionDenied):
        cancel_batch(made.batch_id, scope=scope_of(world, Role.VIEWER))

    assert set(statuses(made.job_ids)) == {"queued"}
