"""django-task: a function decorated with Django Tasks' @task, enqueued by the application's own code."""

import traceback
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.utils.module_loading import import_string

from jobs.errors import InvalidPayload
from jobs.handlers.base import Answer, Context, Fail, Handler, PermanentFailure, Retry
from jobs.tasks_api import AnyTask, Task, task_backends

TRACEBACK_CHARACTERS = 6_000
# No further attempt can end otherwise. A task that cannot be imported is not among them: during a deployment the
# next worker may have it.
PERMANENT = (PermanentFailure, SuspiciousOperation, ImproperlyConfigured)


class Call(dict[str, Any]):
    """A payload that the backend made. What comes from outside, as JSON, is a plain dict: this type refuses it, so
    that nobody who may submit jobs can have a module of his choice imported."""


@runtime_checkable
class Performer(Protocol):
    """A backend of TASKS that runs what it has enqueued."""

    def perform(self, task: AnyTask, context: Context) -> Answer: ...
    async def perform_async(self, task: AnyTask, context: Context) -> Answer: ...


class DjangoTaskHandler(Handler):
    type = "django-task"
    title = "Django task"
    description = "Runs a function decorated with @task of Django Tasks."
    internal = True
    # Its arguments may be what strangers have typed.
    secret_fields = ()
    schema = {
        "type": "object",
        "properties": {
            "task": {"type": "string", "description": "Where it is imported from: module, dot, name."},
            "args": {"type": "array"},
            "kwargs": {"type": "object"},
            "backend": {"type": "string", "description": "Its alias in TASKS."},
            "priority": {"type": "integer", "minimum": -100, "maximum": 100},
            "run_after": {"type": "string", "format": "date-time"},
            "coroutine": {"type": "boolean", "description": "It is for the event loop."},
        },
        "required": ["task", "args", "kwargs", "backend", "priority"],
        "additionalProperties": False,
    }
    example = {"task": "acme.tasks.greet", "args": ["Ada"], "kwargs": {}, "backend": "default", "priority": 0}

    def check(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> None:
        if not isinstance(payload, Call):
            raise InvalidPayload([("", "Jobs of this type are made by the application's code, with task.enqueue().")])

    def perform(self, context: Context) -> Answer:
        """Without check(): what was stored has passed it, and is a plain dict again."""
        return self.run(context)

    def run(self, context: Context) -> Answer:
        try:
            return performer(context.payload["backend"]).perform(task_at(context.payload["task"]), context)
        except BaseException as error:
            return failure(error, permanent=isinstance(error, PERMANENT))

    def is_async(self, payload: Mapping[str, Any]) -> bool:
        """As it was enqueued: the worker's loop should import nothing to tell."""
        return bool(payload.get("coroutine"))

    async def perform_async(self, context: Context) -> Answer:
        return await self.run_async(context)

    async def run_async(self, context: Context) -> Answer:
        try:
            # The first import of a module may take its time.
            task = await sync_to_async(task_at)(context.payload["task"])
            return await performer(context.payload["backend"]).perform_async(task, context)
        except BaseException as error:
            return failure(error, permanent=isinstance(error, PERMANENT))


def performer(alias: str) -> Performer:
    backend = task_backends[alias]
    if not isinstance(backend, Performer):
        raise ImproperlyConfigured(f"TASKS[{alias!r}] of this worker is a {type(backend).__name__}.")
    return backend


def task_at(path: str) -> AnyTask:
    """Raises ImportError, or SuspiciousOperation where something else than a task is found."""
    found = import_string(path)
    if not isinstance(found, Task):
        raise SuspiciousOperation(f"{path} is not a task.")
    return found


def failure(error: BaseException, *, permanent: bool) -> Fail | Retry:
    """The answer for an exception: its class by full path and its traceback, from which a TaskError is made."""
    text = "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:]
    kind = type(error)
    return (Fail if permanent else Retry)(text, error_type=f"{kind.__module__}.{kind.__qualname__}")
