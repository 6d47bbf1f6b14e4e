"""Tasks that fail, and those that get another try."""

from typing import Any

import pytest
from django_tasks.base import Task
from pytest_django.fixtures import Settings

from jobs.models import Job
from jobs.queue.control import replay
from jobs.queue.promote import promote
from jobs.tasks_api import TaskResultStatus
from orgs.models import Org
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import BACKEND, Heard, RunWorker
from tests.jobs.queue.acts import own_scope
from tests.jobs.queue.whole import make_due

SUCCESSFUL, FAILED, READY = TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED, TaskResultStatus.READY


@pytest.fixture
def four_tries(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"MAX_ATTEMPTS": 4}}}


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
