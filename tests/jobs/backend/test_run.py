"""Tasks run by a real worker."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tasks import default_task_backend
from django_tasks.base import Task
from pytest_django.fixtures import Settings

from jobs.backend import using_org
from jobs.models import Job, Lease
from jobs.queue.control import cancel
from jobs.queue.promote import promote
from jobs.tasks_api import TaskResultStatus, task_finished, task_started
from orgs.models import Org
from tests.concurrency import Background
from tests.eventually import eventually
from tests.factories import make_org
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import BACKEND, Heard, RunWorker
from tests.jobs.queue.acts import own_scope
from tests.jobs.queue.whole import assert_whole, make_due

SUCCESSFUL, FAILED, READY = TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED, TaskResultStatus.READY


@pytest.mark.parametrize("task", [tasks.nothing, tasks.nothing_async], ids=["function", "coroutine"])
def test_an_enqueued_task_is_run(task: Task[..., Any], org: Org, run_worker: RunWorker) -> None:
    result = task.enqueue(1, two=3)

    worker = run_worker()

    assert (result.status, result.attempts) == (READY, 0)
    result.refresh()
    assert (result.status, result.return_value, result.errors) == (SUCCESSFUL, None, [])
    assert (result.attempts, result.worker_ids) == (1, [worker.presence.name])
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result.last_attempted_at == result.started_at
    assert_whole()


def test_its_arguments_and_its_value_pass_through_json(org: Org, run_worker: RunWorker) -> None:
    result = tasks.echo.enqueue((1, 2.5), None, deep={"list": [True, "ä"]})

    run_worker()

    result.refresh()
    assert result.return_value == {"args": [[1, 2.5], None], "kwargs": {"deep": {"list": [True, "ä"]}}}


def test_a_coroutine_may_use_the_database(org: Org, run_worker: RunWorker) -> None:
    result = tasks.count_jobs_async.enqueue(1)

    run_worker()

    result.refresh()
    assert (result.status, result.errors) == (SUCCESSFUL, [])
    assert result.return_value is True


def test_coroutines_run_beside_each_other_in_one_thread(org: Org, run_worker: RunWorker) -> None:
    """Each waits for all of them."""
    results = [tasks.meet.enqueue(5) for _ in range(5)]

    run_worker(slots=5)

    for result in results:
        result.refresh()
        assert (result.status, result.errors) == (SUCCESSFUL, [])
    assert len({result.return_value for result in results}) == 1


def test_a_coroutine_ends_when_its_job_is_cancelled(org: Org, run_worker: RunWorker, heard: Heard) -> None:
    result = tasks.wait_forever.enqueue()
    busy = Background(run_worker)
    eventually(lambda: tasks.RAN)

    cancel(Job.objects.get().pk, scope=own_scope(org))
    busy.result()

    result.refresh()
    assert (result.status, [error.exception_class.__name__ for error in result.errors]) == (FAILED, ["CancelledError"])
    assert [name for name, _ in heard] == ["enqueued", "started"]
    assert_whole()


def test_a_worker_runs_all_there_is(org: Org, run_worker: RunWorker) -> None:
    good = [tasks.mark.enqueue(str(number)) for number in range(3)]
    bad = tasks.value_error.enqueue()

    run_worker(slots=3)

    for result in [*good, bad]:
        result.refresh()
    assert [result.status for result in [*good, bad]] == [SUCCESSFUL, SUCCESSFUL, SUCCESSFUL, FAILED]
    assert sorted(tasks.RAN) == ["0", "1", "2"]


def test_a_worker_runs_the_queues_it_serves(org: Org, run_worker: RunWorker, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": ["default", "mail"]}}
    result = tasks.nothing.using(queue_name="mail").enqueue()

    run_worker("default")
    result.refresh()
    assert result.status == READY

    run_worker("*")
    result.refresh()
    assert (result.status, result.task.queue_name) == (SUCCESSFUL, "mail")


def test_a_worker_of_other_types_leaves_tasks_alone(org: Org, run_worker: RunWorker) -> None:
    result = tasks.nothing.enqueue()

    run_worker(types=["python"])

    result.refresh()
    assert result.status == READY


# --- Context, organisation, correlation -------------------------------------------------------------------------


def test_a_task_that_takes_context_gets_its_own_result(org: Org, run_worker: RunWorker) -> None:
    own_id = tasks.own_id.enqueue()
    about_me = tasks.about_me.enqueue("hello")
    attempt = tasks.attempt_async.enqueue()

    worker = run_worker()

    for result in (own_id, about_me, attempt):
        result.refresh()
    assert own_id.return_value == own_id.id
    assert about_me.return_value == {
        "greeting": "hello",
        "attempt": 1,
        "status": "RUNNING",
        "workers": [worker.presence.name],
        "started": True,
        "args": ["hello"],
    }
    assert attempt.return_value == 1


@pytest.mark.parametrize("task", [tasks.enqueue_another, tasks.enqueue_another_async], ids=["function", "coroutine"])
def test_what_a_task_enqueues_belongs_to_its_organisation(
    task: Task[..., Any], org: Org, run_worker: RunWorker, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"ORG": "acme"}}}
    rival = make_org("rival")
    with using_org(rival):
        result = task.enqueue()

    run_worker()

    result.refresh()
    another = Job.objects.get(pk=result.return_value)
    assert (another.org, another.status) == (rival, "done")
    assert another.correlation_id == Job.objects.get(pk=result.id).correlation_id


def test_a_task_may_enqueue_for_another_organisation(org: Org, run_worker: RunWorker, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"ORG": "acme"}}}
    rival = make_org("rival")
    result = tasks.enqueue_for.enqueue("rival")

    run_worker()

    result.refresh()
    assert Job.objects.get(pk=result.return_value).org == rival


# --- Signals and logs -------------------------------------------------------------------------------------------


def test_signals_tell_of_the_start_and_the_end(org: Org, run_worker: RunWorker, heard: Heard) -> None:
    result = tasks.meaning_of_life.enqueue()

    run_worker()

    result.refresh()
    assert [name for name, _ in heard] == ["enqueued", "started", "finished"]
    started, finished = heard[1][1], heard[2][1]
    assert (started.id, started.status, started.finished_at) == (result.id, TaskResultStatus.RUNNING, None)
    assert (started.started_at, started.worker_ids) == (result.started_at, result.worker_ids)
    assert (finished.status, finished.return_value) == (SUCCESSFUL, 42)
    assert finished.started_at < finished.finished_at


def test_a_failure_is_told_with_its_error(org: Org, run_worker: RunWorker, heard: Heard) -> None:
    result = tasks.value_error.enqueue()

    run_worker()

    result.refresh()
    name, finished = heard[-1]
    assert (name, finished.status, finished.errors) == ("finished", FAILED, result.errors)


def test_who_listens_and_raises_does_not_fail_the_task(org: Org, run_worker: RunWorker) -> None:
    def listen(**told: Any) -> None:
        raise RuntimeError("not listening")

    result = tasks.meaning_of_life.enqueue()
    task_started.connect(listen)
    task_finished.connect(listen)
    try:
        run_worker()
    finally:
        task_started.disconnect(listen)
        task_finished.disconnect(listen)

    result.refresh()
    assert result.return_value == 42


def test_the_start_and_the_end_are_logged(org: Org, run_worker: RunWorker, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = tasks.nothing.enqueue(), tasks.value_error.enqueue()

    with caplog.at_level(logging.INFO, "django_tasks"):
        run_worker()

    records = [record for record in caplog.records if record.name == "django_tasks"]
    path = "path=tests.jobs.backend.tasks"
    assert [record.getMessage() for record in records] == [
        f"Task id={good.id} {path}.nothing state=RUNNING",
        f"Task id={good.id} {path}.nothing state=SUCCESSFUL",
        f"Task id={bad.id} {path}.value_error state=RUNNING",
        f"Task id={bad.id} {path}.value_error state=FAILED",
    ]
    assert records[-1].exc_info
    assert records[-1].exc_info[0] is ValueError


# --- Later, and not at all --------------------------------------------------------------------------------------


def test_a_task_runs_after_its_time(org: Org, run_worker: RunWorker) -> None:
    result = tasks.nothing.using(run_after=timezone.now() + timedelta(hours=10)).enqueue()
    assert result.status == READY

    promote()
    run_worker()
    result.refresh()
    assert (result.status, result.attempts) == (READY, 0)

    make_due()
    promote()
    run_worker()
    asked = result.task.run_after
    result.refresh()
    assert result.status == SUCCESSFUL
    assert default_task_backend.get_result(result.id).task.run_after == asked


def test_a_time_that_has_passed_is_now(org: Org, run_worker: RunWorker) -> None:
    result = tasks.nothing.using(run_after=timezone.now() - timedelta(hours=10)).enqueue()

    run_worker()

    result.refresh()
    assert result.status == SUCCESSFUL


def test_a_cancelled_task_is_not_run(org: Org, run_worker: RunWorker) -> None:
    tasks.mark.enqueue("cancelled")
    cancel(Job.objects.get().pk, scope=own_scope(org))

    run_worker()

    assert tasks.RAN == []


def test_two_workers_share_the_tasks(org: Org, run_worker: RunWorker) -> None:
    """One is in the middle of a task; what it does not hold is run by the other."""
    held = tasks.until_open.enqueue("gate")
    busy = Background(run_worker)
    eventually(Lease.objects.exists)
    others = [tasks.nothing.enqueue() for _ in range(3)]

    run_worker()

    held.refresh()
    assert held.status == TaskResultStatus.RUNNING
    for result in others:
        result.refresh()
        assert result.status == SUCCESSFUL
    tasks.GATES["gate"].set()
    busy.result()
    held.refresh()
    assert (held.return_value, held.attempts) == ("opened", 1)
