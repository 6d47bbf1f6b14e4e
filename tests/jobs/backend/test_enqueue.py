"""Enqueueing a task stores a job."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django_tasks import default_task_backend, task_backends
from django_tasks.base import Task
from pytest_django.fixtures import Settings

from jobs.backend import SmartQueueBackend, using_org
from jobs.models import Job, Transition
from jobs.tasks_api import InvalidTaskError, TaskResultStatus, task_enqueued
from orgs.models import Org
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import BACKEND, Heard

pytestmark = pytest.mark.django_db
EITHER = pytest.mark.parametrize("task", [tasks.nothing, tasks.nothing_async], ids=["function", "coroutine"])


def test_the_backend_of_the_settings_is_ours_and_can_do_everything() -> None:
    assert default_task_backend == task_backends["default"]
    assert isinstance(task_backends["default"], SmartQueueBackend)
    assert default_task_backend.alias == "default"
    for flag in ("supports_defer", "supports_async_task", "supports_get_result", "supports_priority"):
        assert getattr(default_task_backend, flag) is True


@EITHER
def test_an_enqueued_task_is_ready(task: Task[..., Any], org: Org, heard: Heard) -> None:
    result = task.enqueue(1, two=3)

    assert UUID(result.id).version == 7
    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.READY, False, 0)
    assert (result.started_at, result.last_attempted_at, result.finished_at) == (None, None, None)
    assert (result.task, result.args, result.kwargs, result.backend) == (task, [1], {"two": 3}, "default")
    with pytest.raises(ValueError, match="Task has not finished yet"):
        assert result.return_value
    assert heard == [("enqueued", result)]


@EITHER
def test_it_can_be_enqueued_by_a_coroutine(task: Task[..., Any], org: Org, heard: Heard) -> None:
    result = async_to_sync(task.aenqueue)(1, two=3)

    assert (result.status, result.args, result.kwargs) == (TaskResultStatus.READY, [1], {"two": 3})
    assert Job.objects.get(pk=result.id).status == "queued"
    assert heard == [("enqueued", result)]


def test_the_job_says_what_it_is(org: Org) -> None:
    result = tasks.nothing.using(priority=5).enqueue("a", b=[1, {"c": None}])

    job = Job.objects.get(pk=result.id)
    path = "tests.jobs.backend.tasks.nothing"
    assert (job.org, job.type, job.name, job.queue, job.urgency) == (org, "django-task", path, "default", "high")
    assert job.payload == {
        "task": path,
        "args": ["a"],
        "kwargs": {"b": [1, {"c": None}]},
        "backend": "default",
        "priority": 5,
    }
    assert (job.max_attempts, job.timeout_seconds, job.created_by) == (1, 300, None)
    assert job.created_at == result.enqueued_at
    assert Transition.objects.get(job_id=job.pk).actor == "system"


def test_options_say_how_often_and_how_long_it_is_tried(org: Org, settings: Settings) -> None:
    settings.TASKS = {
        "default": {"BACKEND": BACKEND},
        "patient": {"BACKEND": BACKEND, "OPTIONS": {"MAX_ATTEMPTS": 4, "TIMEOUT_SECONDS": 7}},
    }

    result = tasks.nothing.using(backend="patient").enqueue()

    job = Job.objects.get(pk=result.id)
    assert (job.max_attempts, job.timeout_seconds, job.payload["backend"]) == (4, 7, "patient")


def test_a_task_keeps_the_correlation_of_what_enqueues_it(org: Org) -> None:
    with structlog.contextvars.bound_contextvars(correlation_id="of-the-request"):
        result = tasks.nothing.enqueue()

    assert Job.objects.get(pk=result.id).correlation_id == "of-the-request"


def test_it_is_logged(org: Org, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "django_tasks"):
        result = tasks.nothing.enqueue()

    (line,) = [record.getMessage() for record in caplog.records if record.name == "django_tasks"]
    assert result.id in line
    assert "enqueued" in line


def test_who_listens_and_raises_does_not_undo_it(org: Org, caplog: pytest.LogCaptureFixture) -> None:
    def listen(**told: Any) -> None:
        raise RuntimeError("not listening")

    task_enqueued.connect(listen)
    try:
        result = tasks.nothing.enqueue()
    finally:
        task_enqueued.disconnect(listen)

    assert Job.objects.filter(pk=result.id).exists()
    assert "not listening" in caplog.text


# --- The caller's transaction -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_job_is_there_for_others_when_its_transaction_commits(org: Org) -> None:
    with elsewhere() as session:
        session.execute("COMMIT")

        def seen() -> int:
            row = session.execute("SELECT count(*) FROM jobs_job").fetchone()
            assert row
            return int(row[0])

        with transaction.atomic():
            result = tasks.nothing.enqueue()
            assert result.enqueued_at is not None
            assert Job.objects.count() == 1
            assert seen() == 0

        assert seen() == 1
        session.execute("BEGIN")


@pytest.mark.django_db(transaction=True)
@EITHER
def test_no_job_is_left_of_a_transaction_that_rolls_back(task: Task[..., Any], org: Org) -> None:
    with transaction.atomic():
        task.enqueue()
        async_to_sync(task.aenqueue)()
        assert Job.objects.count() == 2
        transaction.set_rollback(True)

    assert not Job.objects.exists()


# --- What is refused --------------------------------------------------------------------------------------------


def test_the_queue_must_be_one_of_the_backends(org: Org, settings: Settings) -> None:
    ours = settings.TASKS
    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": ["another"]}}
    task = tasks.nothing.using(queue_name="another")
    settings.TASKS = ours

    with pytest.raises(InvalidTaskError, match="Queue 'another' is not valid for backend"):
        task.enqueue()
    with pytest.raises(InvalidTaskError, match="Queue 'another' is not valid for backend"):
        async_to_sync(task.aenqueue)()
    assert not Job.objects.exists()


def test_without_a_list_of_queues_each_that_can_be_one_will_do(org: Org, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": []}}

    result = tasks.nothing.using(queue_name="mail").enqueue()

    assert Job.objects.get(pk=result.id).queue == "mail"
    with pytest.raises(InvalidTaskError, match="queue: 1 to 40 lower-case letters"):
        tasks.nothing.using(queue_name="No Queue").enqueue()


@pytest.mark.parametrize("priority", [-101, 101, 3.1])
def test_priorities_are_whole_numbers_from_minus_100_to_100(priority: Any) -> None:
    with pytest.raises(InvalidTaskError, match="priority must be a whole number between -100 and 100"):
        tasks.nothing.using(priority=priority)


def test_run_after_has_a_time_zone() -> None:
    with pytest.raises(InvalidTaskError, match="run_after must be an aware datetime"):
        tasks.nothing.using(run_after=datetime(2026, 1, 1))


def test_run_after_is_within_a_year(org: Org) -> None:
    with pytest.raises(InvalidTaskError, match="run_at: Within 365 days of now"):
        tasks.nothing.using(run_after=timezone.now() + timedelta(days=400)).enqueue()


def test_a_task_that_is_not_where_its_function_is_cannot_be_found_by_a_worker(org: Org) -> None:
    with pytest.raises(InvalidTaskError, match=r"A worker would not find the task: .*tasks\.plain"):
        tasks.hidden.enqueue(1)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (object(), TypeError, "Unsupported type: <class 'object'>"),
        ({1, 2}, TypeError, "Unsupported type: <class 'set'>"),
        (timezone.now(), TypeError, "Unsupported type: <class 'datetime.datetime'>"),
        (b"\xff", ValueError, "Unsupported value: <class 'bytes'>"),
        (float("nan"), ValueError, "arguments of tests.jobs.backend.tasks.nothing are not JSON: NaN"),
        (float("inf"), ValueError, "Infinity is not a JSON number"),
        ("a\0b", ValueError, "NUL"),
        ("\ud800", ValueError, "surrogate"),
    ],
    ids=["object", "set", "datetime", "bytes", "nan", "infinity", "nul", "surrogate"],
)
def test_arguments_are_json(value: Any, error: type[Exception], words: str, org: Org, heard: Heard) -> None:
    for arguments in ({"args": [[value]], "kwargs": {}}, {"args": [], "kwargs": {"key": value}}):
        with pytest.raises(error, match=words):
            default_task_backend.enqueue(tasks.nothing, **arguments)

    assert not Job.objects.exists()
    assert heard == []


def test_arguments_are_no_longer_than_a_payload_may_be(org: Org) -> None:
    with pytest.raises(InvalidTaskError, match=r"payload: \d+ bytes of JSON; at most 10000 are allowed"):
        tasks.nothing.enqueue("x" * 10_000)


def test_the_result_has_the_arguments_as_the_task_will_get_them(org: Org) -> None:
    result = tasks.nothing.enqueue((1, 2), b"bytes", number={3: 4})

    assert (result.args, result.kwargs) == ([[1, 2], "bytes"], {"number": {"3": 4}})


# --- Whose job it is --------------------------------------------------------------------------------------------


def options(settings: Settings, **given: Any) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": given}}


def test_of_several_organisations_the_options_name_one(world: World, settings: Settings) -> None:
    options(settings, ORG="rival")

    result = tasks.nothing.enqueue()

    assert Job.objects.get(pk=result.id).org == world.rival


@pytest.mark.parametrize("org", ["rival", Org(slug="other", name="Other")], ids=["by slug", "by object"])
def test_the_code_may_name_another_one(org: Org | str, world: World, settings: Settings) -> None:
    options(settings, ORG="acme")
    if isinstance(org, Org):
        org.pk = None
        org.save()

    with using_org(org):
        inside = tasks.nothing.enqueue()
        awaited = async_to_sync(tasks.nothing.aenqueue)()
    outside = tasks.nothing.enqueue()

    slugs = [Job.objects.get(pk=result.id).org.slug for result in (inside, awaited, outside)]
    assert slugs == [getattr(org, "slug", org), getattr(org, "slug", org), "acme"]


def test_it_is_not_guessed_among_several(world: World) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TASKS\['default'\]: there is more than one organisation"):
        tasks.nothing.enqueue()


def test_there_must_be_one(db: None) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TASKS\['default'\]: there is no organisation\."):
        tasks.nothing.enqueue()


def test_an_unknown_one_is_named(world: World, settings: Settings) -> None:
    options(settings, ORG="acmee")

    with pytest.raises(ImproperlyConfigured, match=r"TASKS\['default'\]: there is no organisation 'acmee'"):
        tasks.nothing.enqueue()
