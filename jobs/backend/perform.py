"""One attempt of a task, with the signals that go with it: in a thread, or on the worker's event loop."""

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from jobs.backend.current import using_org
from jobs.backend.results import JobResult, result_of, returned
from jobs.handlers.base import Answer, Context, Done, Fail, PermanentFailure, StopReason
from jobs.handlers.django_task import failure
from jobs.handlers.results import json_result
from jobs.models import Job
from jobs.tasks_api import (
    AnyTask,
    BaseTaskBackend,
    TaskContext,
    TaskError,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)


def perform(backend: BaseTaskBackend, task: AnyTask, context: Context) -> Answer:
    """Whatever the task enqueues or looks up belongs to the job's organisation."""
    with using_org(context.org):
        attempt = begin(backend, task, context)
        try:
            value = task.call(*attempt.args, **attempt.result.kwargs)
        except BaseException as error:
            return attempt.failed(error, permanent=isinstance(error, PermanentFailure))
        return attempt.worked(value)


async def perform_async(backend: BaseTaskBackend, task: AnyTask, context: Context) -> Answer:
    """The same. What needs the database runs in asgiref's thread for it, as the task's own sync_to_async() does."""
    with using_org(context.org):
        try:
            attempt = await sync_to_async(begin)(backend, task, context)
            try:
                value = await task.acall(*attempt.args, **attempt.result.kwargs)
            except BaseException as error:
                return await sync_to_async(attempt.failed)(error, permanent=isinstance(error, PermanentFailure))
            return await sync_to_async(attempt.worked)(value)
        finally:
            await sync_to_async(close_old_connections)()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A task that runs."""

    backend: BaseTaskBackend
    context: Context
    result: JobResult
    args: list[Any]
    # No other will follow.
    is_last: bool

    def worked(self, value: Any) -> Answer:
        try:
            kept = json_result(normalize_json(value))
        except (TypeError, ValueError) as error:
            # Another try would only do the work twice.
            return self.failed(error, permanent=True)
        if self.context.stop_reason is not StopReason.LEASE_LOST:
            ended = replace(self.result, status=TaskResultStatus.SUCCESSFUL)
            returned(ended, kept)
            self.tell(ended)
        return Done(kept)

    def failed(self, error: BaseException, *, permanent: bool) -> Answer:
        """Called while the exception is handled, so that who logs the signal has it."""
        answer = failure(error, permanent=permanent)
        if (self.is_last or isinstance(answer, Fail)) and not self.context.cancelled:
            errors = [*self.result.errors, TaskError(exception_class_path=answer.error_type, traceback=answer.reason)]
            self.tell(replace(self.result, status=TaskResultStatus.FAILED, errors=errors))
        return answer

    def tell(self, ended: JobResult) -> None:
        """Send task_finished, a moment before the end is stored."""
        assert ended.last_attempted_at
        # By the database's clock, as all times of a job.
        ran = timedelta(seconds=time.monotonic() - self.context.started)
        object.__setattr__(ended, "finished_at", ended.last_attempted_at + ran)
        task_finished.send_robust(type(self.backend), task_result=ended)


def begin(backend: BaseTaskBackend, task: AnyTask, context: Context) -> Attempt:
    job = Job.objects.with_state().get(pk=context.job_id)
    result = result_of(job, context.org)
    task_started.send_robust(type(backend), task_result=result)
    own = [TaskContext(task_result=result)] if task.takes_context else []
    return Attempt(backend, context, result, [*own, *result.args], context.attempt >= job.attempt_limit)
