"""Accepting jobs: one commit, repeats, due times, pauses, and waking workers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from jobs.errors import InvalidJob, InvalidPayload, KeyReused, UnknownJobType
from jobs.models import Job, Queue, Ready, Transition
from jobs.processes.listener import Listener
from jobs.queue import enqueue as enqueue_module
from jobs.queue.control import pause
from jobs.queue.enqueue import Enqueued, NewJob, enqueue, enqueue_many
from jobs.queue.notify import ANY_WORK, command_channel, work_channel
from jobs.queue.upkeep import expire_keys
from jobs.ranking import rank_offset
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import at_once, elsewhere
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import WORKER, claim_all, finish_one, make_job, make_org
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


def new_job(**fields: Any) -> NewJob:
    return NewJob(**{"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields})


def enqueue_as(org: Org, **fields: Any) -> Enqueued:
    return enqueue(new_job(**fields), org=org, user=None)


# --- one commit -----------------------------------------------------------------------------------------------------


def test_a_job_is_stored_queued_and_written_down_in_one_commit(world: World) -> None:
    found = enqueue(new_job(title="Sum"), org=world.org, user=world.operator, correlation_id="abc-1")

    job = Job.objects.with_state().get(pk=found.job_id)
    (move,) = Transition.objects.filter(job_id=job.pk)
    assert (job.state, job.title, job.correlation_id, job.created_by) == ("queued", "Sum", "abc-1", world.operator)
    assert (job.attempt, job.max_attempts, job.attempt_limit) == (0, 4, 4)
    assert (move.from_status, move.to_status, move.actor, move.at) == (None, "queued", "user:operator", job.created_at)
    assert Ready.objects.get(job_id=job.pk).rank == pytest.approx(
        job.queued_at.timestamp() + rank_offset(job.predicted_ms, "medium", 60), abs=0.001
    )
    assert_whole()


def test_nothing_is_stored_when_the_callers_transaction_rolls_back(world: World) -> None:
    with transaction.atomic():
        enqueue_as(world.org)
        transaction.set_rollback(True)

    assert not Job.objects.exists()
    assert not Ready.objects.exists()
    assert not Transition.objects.exists()


def test_a_job_is_claimed_and_done(world: World) -> None:
    job = make_job(world.org)

    (claimed,) = claim_all()

    assert finish_one(claimed, result=3)
    job.refresh_from_db()
    assert (job.status, job.result, job.attempt) == ("done", 3, 1)
    assert_whole()


def test_a_batch_keeps_its_order_and_gives_each_its_outcome(world: World) -> None:
    batch = [new_job(name=f"n{number}") for number in range(50)]
    batch[7] = new_job(type="nothing")
    batch[9] = new_job(urgency="soon")

    outcomes = enqueue_many(batch, org=world.org, user=world.operator)

    assert isinstance(outcomes[7], UnknownJobType)
    assert isinstance(outcomes[9], InvalidJob)
    stored = [outcome.job_id for outcome in outcomes if isinstance(outcome, Enqueued)]
    assert list(Ready.objects.order_by("rank").values_list("job_id", flat=True)) == stored
    assert list(Job.objects.order_by("id").values_list("name", flat=True)) == [
        one.name for index, one in enumerate(batch) if index not in (7, 9)
    ]
    assert_whole()


def test_the_first_job_makes_its_queue(world: World) -> None:
    enqueue_as(world.org, queue="nightly")
    enqueue_as(world.org, queue="nightly")

    assert list(Queue.objects.for_org(world.org).values_list("name", flat=True)) == ["nightly"]


# --- what is refused ------------------------------------------------------------------------------------------------

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "x" * 65}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "\ud800"}, "/title"),
        ({"description": "x" * 10_001}, "/description"),
        ({"queue": ""}, "/queue"),
        ({"queue": "Upper"}, "/queue"),
        ({"queue": "q" * 41}, "/queue"),
        ({"queue": "a b"}, "/queue"),
        ({"queue": "*"}, "/queue"),
        ({"queue": "a\n"}, "/queue"),
        ({"urgency": "soon"}, "/urgency"),
        ({"category": "Nonsense"}, "/category"),
        ({"timeout_seconds": 0}, "/timeout_seconds"),
        ({"timeout_seconds": 10**9}, "/timeout_seconds"),
        ({"max_attempts": 0}, "/max_attempts"),
        ({"max_attempts": 26}, "/max_attempts"),
        ({"delay_seconds": -1}, "/delay_seconds"),
        ({"delay_seconds": float("nan")}, "/delay_seconds"),
        ({"delay_seconds": 1e12}, "/delay_seconds"),
        ({"run_at": NOW + timedelta(days=366)}, "/run_at"),
        ({"run_at": NOW - timedelta(days=366)}, "/run_at"),
        ({"run_at": datetime.max.replace(tzinfo=UTC)}, "/run_at"),
        ({"run_at": datetime.min.replace(tzinfo=UTC)}, "/run_at"),
        ({"run_at": datetime(2026, 1, 1)}, "/run_at"),
        ({"run_at": NOW, "delay_seconds": 1}, "/delay_seconds"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"idempotency_key": "k" * 256}, "/idempotency_key"),
        ({"payload": {"task": "demo.word_count", "kwargs": {"text": "x" * 10_000}}}, "/payload"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_bad_field_is_named_and_nothing_is_stored(world: World, fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        enqueue_as(world.org, **fields)

    assert [found for found, _ in refused.value.errors] == [pointer]
    assert not Job.objects.exists()


def test_a_payload_that_does_not_fit_its_type_is_refused(world: World) -> None:
    with pytest.raises(InvalidPayload):
        enqueue_as(world.org, payload={"task": "demo.add", "kwargs": {"a": "one"}})

    assert not Job.objects.exists()


# --- repeats --------------------------------------------------------------------------------------------------------


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


# --- when it is due -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "queued"),
        ({"delay_seconds": 0}, "queued"),
        ({"delay_seconds": 60}, "scheduled"),
        ({"run_at": NOW - timedelta(days=1)}, "queued"),
        ({"run_at": NOW + timedelta(days=1)}, "scheduled"),
    ],
)
def test_a_job_waits_for_its_due_time_outside_the_queue(world: World, fields: dict[str, Any], status: str) -> None:
    job = Job.objects.with_state().get(pk=enqueue_as(world.org, **fields).job_id)

    assert job.state == status
    assert Ready.objects.filter(job_id=job.pk).exists() == (status == "queued")
    assert (job.queued_at is None) == (status == "scheduled")
    assert_whole()


def test_a_delay_is_counted_from_the_database_clock(world: World) -> None:
    job = Job.objects.get(pk=enqueue_as(world.org, delay_seconds=90).job_id)

    assert job.run_at is not None
    assert job.run_at - job.created_at == timedelta(seconds=90)


def test_a_job_of_a_paused_queue_is_held_from_the_start(world: World) -> None:
    enqueue_as(world.org)
    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    held = enqueue_as(world.org)
    others = enqueue_as(world.rival)

    assert Ready.objects.get(job_id=held.job_id).held
    assert not Ready.objects.get(job_id=others.job_id).held
    assert [one.job_id for one in claim_all()] == [others.job_id]


# --- races and waking -----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_one_key_at_once_from_many_makes_one_job() -> None:
    org = make_org()

    outcomes = at_once(*[lambda: enqueue_as(org, idempotency_key="k")] * 8)

    assert len({outcome.job_id for outcome in outcomes}) == 1
    assert sum(outcome.created for outcome in outcomes) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_keys_and_queues_in_other_orders_do_not_deadlock() -> None:
    org = make_org()

    def batch(numbers: range, tag: int) -> Callable[[], Any]:
        jobs = [new_job(idempotency_key=f"k{number}-{tag}", queue=f"q{number}-{tag}") for number in numbers]
        return lambda: enqueue_many(jobs, org=org, user=None)

    for tag in range(3):
        there, back = at_once(batch(range(100), tag), batch(range(99, -1, -1), tag))
        assert {one.job_id for one in there} == {one.job_id for one in back}

    assert Job.objects.count() == 300
    assert_whole()


@pytest.fixture
def heard() -> Any:
    """Hear the channels of `default`; call it for what came."""
    listener = Listener()
    listener.listen([work_channel("default"), ANY_WORK, command_channel(WORKER)])
    yield listener.received
    listener.close()


@pytest.mark.django_db(transaction=True)
def test_workers_are_woken_after_the_commit_once_a_batch(heard: Any) -> None:
    org = make_org()
    with transaction.atomic():
        enqueue_many([new_job()] * 20, org=org, user=None)
        within = heard()

    after = eventually(heard)

    assert within == []
    assert sorted(after) == sorted([(work_channel("default"), ""), (ANY_WORK, "")])


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_for_a_scheduled_job(heard: Any) -> None:
    org = make_org()

    enqueue_as(org, delay_seconds=60)
    enqueue_as(org)

    # What arrived is of the second one only: the channels keep their order.
    assert len(eventually(heard)) == 2


@pytest.mark.django_db(transaction=True)
def test_a_stored_job_is_reported_stored_when_waking_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise Error("the connection went away after the commit")

    monkeypatch.setattr("jobs.queue.notify.notify", broken)

    found = enqueue_as(make_org())

    assert found.created
    assert Job.objects.filter(pk=found.job_id).exists()


def test_channel_names_fit_whatever_the_queue_is_called(world: World) -> None:
    name = "q" * 40
    assert enqueue_module.QUEUE_NAME.fullmatch(name)
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_identifier_length")
        limit = int(cursor.fetchone()[0])

    assert max(len(work_channel(name)), len(command_channel(WORKER))) <= limit


@pytest.mark.django_db(transaction=True)
def test_a_batch_does_not_wait_for_rows_of_others() -> None:
    first = enqueue_as(make_org())
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [first.job_id])
        other.execute("SELECT FROM jobs_ready FOR UPDATE")

        assert enqueue_as(make_org()).created
