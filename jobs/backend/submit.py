"""A task with its arguments, as a job."""

import json
import math
from collections.abc import Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation

from jobs.backend.current import chosen
from jobs.backend.results import JobResult
from jobs.errors import InvalidJob
from jobs.handlers.base import running
from jobs.handlers.django_task import Call, DjangoTaskHandler, task_at
from jobs.queue.enqueue import MAX_LENGTHS, NewJob, enqueue
from jobs.strict_json import NotStrict, loads
from jobs.tasks_api import (
    TASK_MAX_PRIORITY,
    AnyTask,
    BaseTaskBackend,
    InvalidTaskError,
    TaskResultStatus,
    normalize_json,
)
from orgs.models import Org


def submit(backend: BaseTaskBackend, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> JobResult:
    check_place(task)
    call = call_of(backend, task, args, kwargs)
    org = org_of(backend)
    try:
        stored = enqueue(
            new_job(backend, task, call),
            org=org,
            user=None,
            correlation_id=correlation_id(),
        )
    except InvalidJob as error:
        raise InvalidTaskError(" ".join(f"{pointer[1:]}: {sentence}" for pointer, sentence in error.errors)) from error
    job = stored.job
    return JobResult(
        task=task,
        id=str(stored.job_id),
        status=TaskResultStatus.READY,
        enqueued_at=job.created_at if job else None,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=call["args"],
        kwargs=call["kwargs"],
        backend=backend.alias,
        errors=[],
        worker_ids=[],
        org=org.slug,
    )


def check_place(task: AnyTask) -> None:
    """A worker imports the task from where its function says it is: it must be there."""
    try:
        found = task_at(task.module_path).func
    except (ImportError, SuspiciousOperation):
        found = None
    if found is not task.func:
        raise InvalidTaskError(f"A worker would not find the task: there is another {task.module_path}, or none.")


def call_of(backend: BaseTaskBackend, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """The payload. Raises TypeError or ValueError for arguments that are not JSON."""
    call = {
        "task": task.module_path,
        "args": normalize_json(args),
        "kwargs": normalize_json(kwargs),
        "backend": backend.alias,
        "priority": int(task.priority),
    }
    if task.run_after:
        call["run_after"] = task.run_after.isoformat()
    if iscoroutinefunction(task.func):
        call["coroutine"] = True
    try:
        return Call(loads(json.dumps(call)))
    except NotStrict as error:
        raise ValueError(f"The arguments of {task.module_path} are not JSON: {error}.") from error


def new_job(backend: BaseTaskBackend, task: AnyTask, call: Call) -> NewJob:
    return NewJob(
        type=DjangoTaskHandler.type,
        payload=call,
        # its end tells more than its start
        name=task.module_path[-MAX_LENGTHS["name"] :],
        queue=task.queue_name,
        urgency=urgency(task.priority),
        head_start=math.copysign(math.sqrt(abs(task.priority) / (TASK_MAX_PRIORITY + 1)), task.priority),
        run_at=task.run_after,
        timeout_seconds=backend.options.get("TIMEOUT_SECONDS"),
        # A task that raises has failed, as Django has it: it may not be fit to run twice.
        max_attempts=backend.options.get("MAX_ATTEMPTS", 1),
    )


def correlation_id() -> str:
    """Of the attempt or the request in which the task is enqueued, or none."""
    attempt = running.get()
    return attempt.correlation_id if attempt else structlog.contextvars.get_contextvars().get("correlation_id", "")


def urgency(priority: int) -> str:
    if priority == 0:
        return "medium"
    return "high" if priority > 0 else "low"


def org_of(backend: BaseTaskBackend) -> Org:
    """The one chosen by the code, else by OPTIONS, else the only one there is. Raises ImproperlyConfigured."""
    choice = chosen.get() or backend.options.get("ORG") or ""
    if isinstance(choice, Org):
        return choice
    found = list(Org.objects.filter(slug=choice) if choice else Org.objects.all()[:2])
    if len(found) == 1:
        return found[0]
    where = f"TASKS[{backend.alias!r}]"
    if choice:
        raise ImproperlyConfigured(f"{where}: there is no organisation {choice!r}.")
    raise ImproperlyConfigured(
        f"{where}: there is {'more than one' if found else 'no'} organisation. Name one in OPTIONS['ORG'], or enqueue "
        "within jobs.backend.using_org()."
    )
