"""Accepting jobs: one commit, repeats, due times, pauses, and waking workers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from jobs.errors import InvalidJob, InvalidPayload, UnknownJobType
from jobs.models import Job, Queue, Ready, Transition
from jobs.queue.control import pause
from jobs.queue.enqueue import Enqueued, NewJob, enqueue, enqueue_many
from jobs.queue.shares import untuned
from jobs.ranking import rank_offset
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import enqueue_as, new_job
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


# --- one commit -----------------------------------------------------------------------------------------------------


def test_a_job_is_stored_queued_and_written_down_in_one_commit(world: World) -> None:
    found = enqueue(new_job(title="Sum"), org=world.org, user=world.operator, correlation_id="abc-1")

    job = Job.objects.with_state().get(pk=found.job_id)
    (move,) = Transition.objects.filter(job_id=job.pk)
    assert (job.state, job.title, job.correlation_id, job.created_by) == ("queued", "Sum", "abc-1", world.operator)
    assert (job.attempt, job.max_attempts, job.attempt_limit) == (0, 4, 4)
    assert (move.from_status, move.to_status, move.actor, move.at) == (None, "queued", "user:operator", job.created_at)
    assert Ready.objects.get(job_id=job.pk).rank == pytest.approx(
        job.queued_at.timestamp() + rank_offset("learned", job.predicted_ms, "medium", untuned()), abs=0.001
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


# --- alone and among many -------------------------------------------------------------------------------------------


def first_stored(org: Org, *more: NewJob, **fields: Any) -> Job:
    """Of a call, by an organisation that is ahead of its share."""
    enqueue_many([new_job()] * 10, org=org, user=None)
    first, *_ = enqueue_many([new_job(**fields), *more], org=org, user=None)
    assert isinstance(first, Enqueued)
    return Job.objects.get(pk=first.job_id)


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Sum", "description": "Of two", "category": "Database"},
        {"delay_seconds": 90.0, "urgency": "high"},
        {"delay_seconds": 0.0, "head_start": 0.5},
        {
            "idempotency_key": "k",
            "limit_key": "l",
            "timeout_seconds": 7,
            "max_attempts": 2,
            "retry": {"base_seconds": 1},
        },
    ],
    ids=["text", "later", "due", "keys"],
)
def test_a_job_alone_is_stored_as_the_first_of_many_would_be(settings: Settings, fields: dict[str, Any]) -> None:
    settings.DEFAULT_PREDICTED_MS = 20_000.0
    alone, first = first_stored(make_org(), **fields), first_stored(make_org(), new_job(), **fields)

    assert stored_of(alone) == stored_of(first)
    assert alone.rank_offset == pytest.approx(first.rank_offset, rel=0.01)


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_is_said_of_the_start_where_nobody_serves_or_before_it_is_due(world: World, count: int) -> None:
    enqueue_many([new_job()] * count, org=world.org, user=None)
    enqueue_many([new_job(delay_seconds=90.0)] * count, org=world.org, user=None)

    said = Job.objects.values_list("expected_start_at", "expected_start_low_at", "expected_start_high_at")
    assert set(said) == {(None, None, None)}


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_due_later_is_placed_behind_what_is_there(world: World, settings: Settings, count: int) -> None:
    settings.DEFAULT_PREDICTED_MS = 20_000.0
    enqueue_many([new_job()] * 100, org=world.org, user=None)

    enqueue_many([new_job(delay_seconds=90.0)] * count, org=world.org, user=None)

    lead = 100 * 20.0 / untuned().rate
    for job in Job.objects.filter(status="scheduled"):
        assert job.rank_offset == pytest.approx(lead, abs=1.0)


def stored_of(job: Job) -> dict[str, Any]:
    """Its times as seen from when it came."""
    values = {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}
    for own in ("id", "org_id", "correlation_id", "rank_offset"):
        del values[own]
    return {name: value - job.created_at if isinstance(value, datetime) else value for name, value in values.items()}
