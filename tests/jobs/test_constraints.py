"""What the database itself refuses, whoever writes."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Now

from jobs.ids import uuid7
from jobs.models import Attempt, Job, LeaderTerm, Lease, Ready, Transition, WorkerProcess
from jobs.states import Status, is_legal
from tests.conftest import World
from tests.factories import WORKER, claim_all, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"status": "running"}, "job_status_valid"),
        ({"status": "paused"}, "job_status_valid"),
        ({"status": "done"}, "job_finished_at_when_ended"),
        ({"finished_at": Now()}, "job_finished_at_when_ended"),
        ({"status": "scheduled"}, "job_scheduled_has_due_time"),
        ({"run_at": "1969-12-31T23:59:59+00:00"}, "job_run_at_in_range"),
        ({"run_at": "2200-01-01T00:00:00+00:00"}, "job_run_at_in_range"),
        ({"urgency": "soon"}, "job_urgency_valid"),
        ({"priority": 0}, "job_priority_in_range"),
        ({"priority": 1}, "job_priority_in_range"),
        ({"priority": float("nan")}, "job_priority_in_range"),
        ({"max_attempts": 0}, "job_max_attempts_positive"),
    ],
)
def test_a_job_that_cannot_be_is_refused(world: World, change: dict[str, Any], constraint: str) -> None:
    job = make_job(world.org)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**change)


@pytest.mark.parametrize("moment", ["infinity", "-infinity"])
def test_a_due_time_without_end_is_refused(world: World, moment: str) -> None:
    """Stored, it would make every later read of the table fail."""
    make_job(world.org)

    with pytest.raises(IntegrityError, match="job_run_at"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET run_at = %s::timestamptz", [moment])


@pytest.mark.parametrize(("source", "target"), list(product([None, *Status, "paused"], [*Status, "paused"])))
def test_the_history_takes_exactly_the_legal_moves(world: World, source: str | None, target: str) -> None:
    known = set(Status)
    legal = (
        target in known and (source is None or source in known) and is_legal(source and Status(source), Status(target))
    )  # type: ignore[arg-type]

    def move() -> None:
        with transaction.atomic():
            Transition.objects.create(
                org_id=world.org.pk,
                job_id=uuid7(),
                queue="q",
                from_status=source,
                to_status=target,
                attempt=0,
                actor="test",
                at=Now(),
            )

    if legal:
        move()
    else:
        with pytest.raises(IntegrityError, match="transition_legal"):
            move()


def again(model: Any) -> Callable[[], None]:
    def insert() -> None:
        row = model.objects.get()
        if model is Attempt:
            row.pk = None
        row.save(force_insert=True)

    return insert


@pytest.mark.parametrize("model", [Ready, Lease, Attempt])
def test_a_job_has_one_place_one_lease_and_one_row_per_attempt(world: World, model: Any) -> None:
    (make_done if model is Attempt else make_job)(world.org)
    if model is Lease:
        claim_all()

    with pytest.raises(IntegrityError), transaction.atomic():
        again(model)()


def test_an_attempt_ends_in_a_known_way(world: World) -> None:
    make_dead_letter(world.org)

    with pytest.raises(IntegrityError, match="attempt_outcome_valid"), transaction.atomic():
        Attempt.objects.update(outcome="vanished")


def test_a_key_is_of_one_job_in_an_organisation(world: World) -> None:
    make_job(world.org, idempotency_key="a")
    make_job(world.org, idempotency_key="b")
    make_job(world.rival, idempotency_key="a")

    with pytest.raises(IntegrityError, match="job_idempotency_uniq"), transaction.atomic():
        Job.objects.filter(org=world.org).update(idempotency_key="a")


def test_only_one_term_is_open() -> None:
    def open_term() -> None:
        LeaderTerm.objects.create(process_id=WORKER, hostname="h", pid=1, elected_at=Now(), beat_at=Now())

    open_term()
    with pytest.raises(IntegrityError, match="leaderterm_one_open"), transaction.atomic():
        open_term()
    LeaderTerm.objects.update(ended_at=Now())

    open_term()


@pytest.mark.parametrize(("field", "value"), [("kind", "web"), ("status", "asleep")])
def test_a_process_is_of_a_known_kind_and_status(field: str, value: str) -> None:
    WorkerProcess.objects.create(
        id=WORKER, kind="worker", hostname="h", pid=1, version="1", started_at=Now(), beat_at=Now()
    )

    with pytest.raises(IntegrityError, match=f"process_{field}_valid"), transaction.atomic():
        WorkerProcess.objects.update(**{field: value})


def test_text_that_postgresql_cannot_keep_is_refused(world: World) -> None:
    make_job(world.org)

    with pytest.raises((DataError, ValueError)), transaction.atomic():
        Job.objects.update(payload=Value({"a": "\0"}, output_field=Job._meta.get_field("payload")))
