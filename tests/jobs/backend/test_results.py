"""Looking results up."""

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from django_tasks import TaskResult, default_task_backend
from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
from pytest_django.fixtures import Settings

from jobs.backend import using_org
from jobs.models import Job
from jobs.queue.control import cancel
from jobs.queue.lease import rescue
from jobs.states import Outcome
from jobs.tasks_api import TaskResultStatus
from orgs.models import Org
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import BACKEND
from tests.jobs.queue.acts import own_scope
from tests.jobs.queue.whole import lapse_leases

pytestmark = pytest.mark.django_db


def found(result_id: Any) -> list[TaskResult[Any]]:
    """By each of the ways there are."""
    return [
        default_task_backend.get_result(result_id),
        async_to_sync(default_task_backend.aget_result)(result_id),
    ]


def test_a_result_is_found_as_it_was_given(org: Org) -> None:
    task = tasks.echo.using(priority=-3, run_after=timezone.now() + timedelta(hours=1))
    result = task.enqueue(1, two=3)

    assert found(result.id) == [result, result]
    assert task.get_result(result.id) == result
    assert async_to_sync(task.aget_result)(result.id) == result


def test_a_task_that_has_not_been_told_when_to_run_says_so(org: Org) -> None:
    result = tasks.nothing.enqueue()

    assert default_task_backend.get_result(result.id).task.run_after is None


@pytest.mark.parametrize("asked", ["default", "changed"])
def test_a_priority_is_kept_whatever_the_tasks_own_is(asked: str, org: Org) -> None:
    task = tasks.of_priority_7 if asked == "default" else tasks.of_priority_7.using(priority=0)
    result = task.enqueue()

    assert default_task_backend.get_result(result.id).task.priority == (7 if asked == "default" else 0)


def test_a_result_is_a_snapshot_until_it_is_refreshed(org: Org) -> None:
    result, other = tasks.meaning_of_life.enqueue(), tasks.meaning_of_life.enqueue()
    for claimed in claim_all():
        finish_one(claimed, Outcome.DONE, result=42)

    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.READY, False, 0)
    result.refresh()
    async_to_sync(other.arefresh)()

    for one in (result, other):
        assert (one.status, one.is_finished, one.return_value) == (TaskResultStatus.SUCCESSFUL, True, 42)
        assert (one.attempts, one.worker_ids) == (1, ["tester-1"])
        assert None not in (one.started_at, one.last_attempted_at, one.finished_at)


def test_to_refresh_what_nothing_happened_to_changes_nothing(org: Org) -> None:
    result = tasks.nothing.enqueue()
    before = dataclasses.asdict(result)

    result.refresh()
    assert dataclasses.asdict(result) == before
    async_to_sync(result.arefresh)()
    assert dataclasses.asdict(result) == before


def test_a_running_task_is_running(org: Org) -> None:
    result = tasks.nothing.enqueue()
    claim_all()

    result.refresh()

    assert (result.status, result.is_finished) == (TaskResultStatus.RUNNING, False)
    assert (result.attempts, result.worker_ids, result.finished_at) == (1, ["tester-1"], None)
    assert result.started_at == result.last_attempted_at is not None
    with pytest.raises(ValueError, match="Task has not finished yet"):
        assert result.return_value


@pytest.mark.parametrize(
    "result_id",
    [str(uuid4()), "123", "", "\0", "x" * 10_000, 7, None],
    ids=["unknown", "short", "empty", "nul", "long", "number", "none"],
)
def test_a_result_that_is_not_there_does_not_exist(result_id: Any, org: Org) -> None:
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result_id)
    with pytest.raises(TaskResultDoesNotExist):
        async_to_sync(default_task_backend.aget_result)(result_id)
    with pytest.raises(TaskResultDoesNotExist):
        tasks.nothing.get_result(result_id)


def test_a_job_of_another_type_is_no_result(org: Org) -> None:
    job = make_job(org)

    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(str(job.pk))


def test_a_result_of_another_organisation_does_not_exist(world: World, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"ORG": "acme"}}}
    with using_org("rival"):
        result = tasks.nothing.enqueue()

    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result.id)
    with using_org(world.rival):
        assert default_task_backend.get_result(result.id) == result


def test_a_result_at_hand_is_refreshed_in_its_own_organisation(world: World, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"ORG": "acme"}}}
    with using_org("rival"):
        result = tasks.nothing.enqueue()
    claim_all()

    result.refresh()
    assert result.status == TaskResultStatus.RUNNING
    async_to_sync(result.arefresh)()


def test_a_result_of_another_task_is_a_mismatch(org: Org) -> None:
    result = tasks.nothing.enqueue()

    with pytest.raises(TaskResultMismatch):
        tasks.echo.get_result(result.id)
    with pytest.raises(TaskResultMismatch):
        async_to_sync(tasks.echo.aget_result)(result.id)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("subprocess.check_output", SuspiciousOperation),
        ("tests.jobs.backend.tasks.plain", SuspiciousOperation),
        ("tests.jobs.backend.tasks.gone", ImportError),
        ("missing.module", ImportError),
        ("nodot", ImportError),
    ],
)
def test_a_path_without_a_task_is_told(path: str, error: type[Exception], org: Org) -> None:
    result = tasks.nothing.enqueue()
    job = Job.objects.get(pk=result.id)
    Job.objects.update(payload={**job.payload, "task": path})

    with pytest.raises(error):
        default_task_backend.get_result(result.id)


def test_a_task_that_was_cancelled_has_failed(org: Org) -> None:
    result = tasks.nothing.enqueue()
    cancel(Job.objects.get().pk, scope=own_scope(org))

    result.refresh()

    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.FAILED, True, 0)
    assert [error.exception_class.__name__ for error in result.errors] == ["CancelledError"]
    assert result.errors[0].traceback == "The job was cancelled.\n"


def test_a_task_whose_worker_was_lost_has_failed_when_it_had_one_try(org: Org) -> None:
    result = tasks.nothing.enqueue()
    claim_all()
    lapse_leases()
    rescue()

    result.refresh()

    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
    assert [error.exception_class.__name__ for error in result.errors] == ["LeaseLost"]
    assert "stopped renewing the lease" in result.errors[0].traceback


def test_a_task_that_took_too_long_has_failed(org: Org) -> None:
    result = tasks.nothing.enqueue()
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.TIMEOUT, error_type="Timeout", error="Ran longer than its timeout of 300 s.")

    result.refresh()

    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is TimeoutError


def test_looking_at_a_result_costs_the_same_after_any_number_of_tries(
    org: Org, django_assert_num_queries: Any, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"ORG": "acme", "MAX_ATTEMPTS": 5}}}
    result = tasks.nothing.enqueue()
    with django_assert_num_queries(2):
        default_task_backend.get_result(result.id)
    for _ in range(3):
        (claimed,) = claim_all()
        finish_one(claimed, Outcome.RELEASED)

    with django_assert_num_queries(3):
        assert default_task_backend.get_result(result.id).attempts == 3
