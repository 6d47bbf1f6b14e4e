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
from jobs.queue.control import cancel, replay
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


@pytest.fixture
def four_tries(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"MAX_ATTEMPTS": 4}}}


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


# --- Errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "error", "last_line"),
    [
        (tasks.value_error, ValueError, "ValueError: This task failed"),
        (tasks.value_error_async, ValueError, "ValueError: This coroutine failed"),
        (tasks.trouble, tasks.Trouble.Deep, "tests.jobs.backend.tasks.Trouble.Deep: far down"),
        (tasks.error_in_an_error, ValueError, "ValueError: This task failed"),
        (tasks.system_exit, SystemExit, "SystemExit: 1"),
        (tasks.keyboard_interrupt, KeyboardInterrupt, "KeyboardInterrupt: not by a person"),
    ],
)
def test_a_task_that_raises_has_failed(
    task: Task[..., Any], error: type[BaseException], last_line: str, org: Org, run_worker: RunWorker
) -> None:
    result, after = task.enqueue(), tasks.nothing.enqueue()

    run_worker()

    result.refresh()
    assert (result.status, result.is_finished, result.attempts) == (FAILED, True, 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    with pytest.raises(ValueError, match="Task failed"):
        assert result.return_value
    (told,) = result.errors
    assert told.exception_class_path == f"{error.__module__}.{error.__qualname__}"
    assert told.traceback.startswith("Traceback (most recent call last):")
    assert told.traceback.endswith(f"{last_line}\n")
    after.refresh()
    assert after.status == SUCCESSFUL


def test_the_traceback_shows_the_line_that_raised(org: Org, run_worker: RunWorker) -> None:
    result = tasks.error_in_an_error.enqueue()

    run_worker()

    result.refresh()
    assert 'raise ValueError(ValueError("This task failed"))' in result.errors[0].traceback
    assert result.errors[0].exception_class is ValueError


def test_of_a_long_traceback_the_end_is_kept(org: Org, run_worker: RunWorker) -> None:
    result = tasks.talkative.enqueue()

    run_worker()

    result.refresh()
    assert len(result.errors[0].traceback) == 6_000
    assert result.errors[0].traceback.endswith("x\n")


@pytest.mark.usefixtures("four_tries")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("function", "TypeError: Unsupported type: "),
        ("object", "TypeError: Unsupported type: <class 'object'>"),
        ("nan", "BadResult: The result holds nan, which is not a JSON number."),
        ("nul", "BadResult: The result has a string with a NUL"),
    ],
)
def test_a_value_that_is_no_json_fails_the_task_and_is_not_worked_for_again(
    kind: str, words: str, org: Org, run_worker: RunWorker
) -> None:
    result = tasks.bad_value.enqueue(kind)

    run_worker()

    result.refresh()
    assert (result.status, result.attempts, tasks.RAN) == (FAILED, 1, [kind])
    assert words in result.errors[0].traceback
    assert issubclass(result.errors[0].exception_class, TypeError | ValueError)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("subprocess.check_output", "SuspiciousOperation"),
        ("tests.jobs.backend.tasks.plain", "SuspiciousOperation"),
        ("tests.jobs.backend.tasks.gone", "ImportError"),
        ("missing.module", "ModuleNotFoundError"),
    ],
)
def test_what_is_not_a_task_is_not_run(path: str, error: str, org: Org, run_worker: RunWorker) -> None:
    tasks.nothing.enqueue(["/bin/false"])
    Job.objects.update(payload={**Job.objects.get().payload, "task": path})

    run_worker()

    job = Job.objects.get()
    assert (job.status, job.error_type.rpartition(".")[2]) == ("failed", error)
    assert path.rpartition(".")[2].split(".")[0] in job.error


def test_a_worker_whose_settings_have_another_backend_there_says_so(
    org: Org, run_worker: RunWorker, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND}, "ours": {"BACKEND": BACKEND}}
    tasks.nothing.using(backend="ours").enqueue()
    settings.TASKS["ours"] = {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}
    settings.TASKS = dict(settings.TASKS)

    run_worker()

    job = Job.objects.get()
    assert job.status == "failed"
    assert "TASKS['ours'] of this worker is a DummyBackend." in job.error


# --- More than one try ------------------------------------------------------------------------------------------


def run_until_over(run_worker: RunWorker) -> None:
    """The waits between tries are cut short."""
    while not Job.objects.get().finished_at:
        make_due()
        promote()
        run_worker()


@pytest.mark.usefixtures("four_tries")
def test_a_task_that_may_be_tried_again_is_ready_in_between(org: Org, run_worker: RunWorker) -> None:
    result = tasks.works_on_attempt.enqueue(3)

    run_worker()

    result.refresh()
    assert (result.status, result.is_finished, result.attempts, result.finished_at) == (READY, False, 1, None)
    assert result.errors[0].traceback.endswith("ValueError: attempt 1 fails\n")

    first = result.started_at
    run_until_over(run_worker)
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (SUCCESSFUL, 3, 3)
    assert [error.traceback.splitlines()[-1] for error in result.errors] == [
        "ValueError: attempt 1 fails",
        "ValueError: attempt 2 fails",
    ]
    assert result.started_at == first < result.last_attempted_at <= result.finished_at
    assert len(result.worker_ids) == 3


@pytest.mark.usefixtures("four_tries")
def test_a_task_that_gives_up_is_not_tried_again(org: Org, run_worker: RunWorker) -> None:
    result = tasks.give_up.enqueue()

    run_worker()

    result.refresh()
    assert (result.status, result.attempts) == (FAILED, 1)
    assert result.errors[0].exception_class.__name__ == "PermanentFailure"


@pytest.mark.usefixtures("four_tries")
def test_a_task_fails_after_its_last_try(org: Org, run_worker: RunWorker, heard: Heard) -> None:
    result = tasks.value_error.enqueue()

    run_until_over(run_worker)

    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == (FAILED, 4, 4)
    assert [name for name, _ in heard] == ["enqueued", *["started"] * 4, "finished"]
    assert heard[-1][1].errors == result.errors


def test_a_failed_task_can_be_replayed(org: Org, run_worker: RunWorker) -> None:
    result = tasks.works_on_attempt.enqueue(2)
    run_worker()

    replay(Job.objects.get().pk, scope=own_scope(org))
    result.refresh()
    assert (result.status, result.attempts) == (READY, 1)

    run_worker()
    result.refresh()
    assert (result.status, result.return_value) == (SUCCESSFUL, 2)


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


def test_a_task_knows_its_correlation_id(org: Org, run_worker: RunWorker) -> None:
    result = tasks.correlation.enqueue()

    run_worker()

    result.refresh()
    assert result.return_value == Job.objects.get().correlation_id


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
