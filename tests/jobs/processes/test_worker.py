"""The worker, stepped by hand: its slots are real threads that run real tasks."""

import time
from typing import Any

import pytest
from django.db import connection

from jobs.models import Job, Lease, LogLine, Ready, WorkerProcess
from jobs.processes import executor as executor_module
from jobs.queue.control import cancel
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_job, make_member
from tests.jobs.processes.stepping import MakeWorker, idle, step_until, task
from tests.jobs.queue.whole import assert_whole, path_of
from tests.tasks import GATES

pytestmark = pytest.mark.django_db


def test_a_step_runs_what_waits_and_the_next_ones_write_how_it_ended(make_worker: MakeWorker, world: World) -> None:
    jobs = [make_job(world.org) for _ in range(3)]
    worker = make_worker(slots=2)

    assert worker.step()
    assert len(worker.attempts) <= 2
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 3)

    assert not worker.step()
    assert [Job.objects.get(pk=job.pk).result for job in jobs] == [3, 3, 3]
    assert worker.presence.jobs_processed == 3
    assert_whole()


def test_it_claims_no_more_than_its_free_slots(make_worker: MakeWorker, world: World) -> None:
    for _ in range(5):
        task(world.org, "until_released", gate="g")
    worker = make_worker(slots=2)

    for _ in range(3):
        worker.step()

    assert (len(worker.attempts), Lease.objects.count(), Ready.objects.count()) == (2, 2, 3)


def test_it_serves_its_queues_in_turn(make_worker: MakeWorker, world: World) -> None:
    for _ in range(6):
        make_job(world.org, queue="a")
        make_job(world.org, queue="b")
    worker = make_worker(queues=["a", "b"], slots=1)

    step_until(worker, lambda: Job.objects.filter(status="done").count() >= 6)

    done = Job.objects.filter(status="done")
    assert done.filter(queue="a").count() >= 2
    assert done.filter(queue="b").count() >= 2


@pytest.mark.parametrize(
    ("serves", "done"),
    [
        ({"queues": ["b"], "types": ["python"]}, {"b-python"}),
        ({"queues": ["a", "b"], "types": ["python"]}, {"a-python", "b-python"}),
        ({"queues": ["*"]}, {"a-python", "b-python", "b-shell"}),
        ({"queues": ["*"], "types": ["shell"]}, {"b-shell"}),
        ({"queues": ["nothing"]}, set()),
    ],
)
def test_it_serves_its_queues_and_types_only(
    make_worker: MakeWorker, world: World, serves: dict[str, Any], done: set[str]
) -> None:
    make_job(world.org, queue="a", name="a-python")
    make_job(world.org, queue="b", name="b-python")
    make_job(world.org, queue="b", name="b-shell", type="shell", payload={"argv": ["/bin/echo", "hi"]})
    worker = make_worker(**serves)

    while worker.step() or worker.attempts:
        pass

    assert set(Job.objects.filter(status="done").values_list("name", flat=True)) == done


def test_a_failing_task_is_scheduled_again_with_its_error(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "fail_with", message="no such table")
    worker = make_worker()

    worker.step()
    step_until(worker, idle(worker))

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "ValueError")
    assert "no such table" in job.error


def test_a_task_that_would_end_the_process_ends_its_attempt(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "leave")
    after = make_job(world.org)
    worker = make_worker(slots=1)

    step_until(worker, lambda: Job.objects.filter(pk=after.pk, status="done"))

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "SystemExit")


@pytest.mark.django_db(transaction=True)
def test_a_task_that_uses_the_orm_leaves_its_slot_clean(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "IDLE_CONNECTION_SECONDS", 0.05)
    before = sessions()
    jobs = [task(world.org, name) for name in ("count_users", "leave_a_transaction_open", "count_users")]
    worker = make_worker(slots=1)

    step_until(worker, lambda: Job.objects.filter(status="done").count() == len(jobs))

    # An idle slot keeps no connection; the worker's listening session is the one more.
    eventually(lambda: sessions() == before + 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_leaves_no_session_behind(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "IDLE_CONNECTION_SECONDS", 600)
    before = sessions()
    jobs = [task(world.org, "count_users") for _ in range(3)]
    worker = make_worker(slots=3)
    step_until(worker, lambda: Job.objects.filter(status="done").count() == len(jobs))

    worker.close()

    # the test's own connection is the worker's, which closes it
    connection.ensure_connection()
    eventually(lambda: sessions() == before)


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_lines_are_kept_before_the_end_is(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "chatty", gate="g", lines=5)
    worker = make_worker()
    GATES["g"].set()

    worker.step()
    step_until(worker, idle(worker))

    assert list(LogLine.objects.filter(job_id=job.pk).order_by("sequence").values_list("text", flat=True)) == [
        f"line {number}" for number in range(5)
    ]


def test_progress_that_is_no_number_is_an_error_of_its_task_alone(make_worker: MakeWorker, world: World) -> None:
    """It once kept every end of the worker from being written."""
    job, good = task(world.org, "half"), make_job(world.org)
    worker = make_worker()

    worker.step()
    step_until(worker, lambda: Job.objects.filter(pk=good.pk, status="done"))

    step_until(worker, idle(worker))
    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "ValueError")


def test_it_ends_when_empty_if_asked_to(make_worker: MakeWorker, world: World) -> None:
    for _ in range(5):
        make_job(world.org)
    make_job(world.org, queue="other")
    worker = make_worker(until_empty=True)

    while not worker.stopping:
        worker.step()

    assert Job.objects.filter(status="done").count() == 5
    assert worker.exit_code == 0


@pytest.mark.django_db(transaction=True)
def test_it_runs_registers_works_and_leaves(make_worker: MakeWorker, world: World) -> None:
    jobs = [make_job(world.org) for _ in range(20)]
    worker = make_worker(slots=3, until_empty=True)

    worker.run()

    assert Job.objects.filter(status="done").count() == len(jobs)
    process = WorkerProcess.objects.get(pk=worker.presence.id)
    assert (process.kind, process.status, process.slots, process.jobs_processed) == ("worker", "offline", 3, 20)
    assert (process.queues, process.types) == (["default"], worker.types)
    assert process.stopped_at is not None
    assert process.memory_bytes > 0
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_reaches_the_handler_by_its_notification(
    make_worker: MakeWorker, world: World, settings: Any
) -> None:
    """Not by the renewal, which is a minute away."""
    settings.LEASE_RENEW_SECONDS = 60
    settings.POLL_SECONDS = 60
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.ticker.start()
    worker.step()
    # It listens, and its first renewal is behind it.
    eventually(lambda: worker.ticker.chores[1].due > time.monotonic())
    cancel(job.pk, scope=Scope(make_member(world.org, Role.ORG_ADMIN), world.org, Role.ORG_ADMIN))

    def cancelled() -> bool:
        worker.sleep(1)
        worker.step()
        return path_of(job.pk)[-1] == "cancelled"

    eventually(cancelled)
    worker.ticker.stop()
