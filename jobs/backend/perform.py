"""One attempt of a task, with the signals that go with it."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from jobs.backend.current import using_org
from jobs.backend.results import JobResult, result_of, returned
from jobs.handlers.base import Answer, Context, Done, Fail, PermanentFailure, Retry, StopReason
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
        job = Job.objects.with_state().get(pk=context.job_id)
        result = result_of(job, context.org)
        task_started.send_robust(type(backend), task_result=result)
        worked = False
        try:
            value = call(task, result)
            worked = True
            value = json_result(normalize_json(value))
        except BaseException as error:
            # Once it has worked, another try would only do it twice: what it returned is no JSON.
            answer = failure(error, permanent=worked or isinstance(error, PermanentFailure))
            # Told here, so that who logs it has the exception.
            if (isinstance(answer, Fail) or context.attempt >= job.attempt_limit) and not context.cancelled:
                finished(backend, failed(result, answer), context)
            return answer
        if context.stop_reason is not StopReason.LEASE_LOST:
            finished(backend, successful(result, value), context)
        return Done(value)


def call(task: AnyTask, result: JobResult) -> Any:
    context = [TaskContext(task_result=result)] if task.takes_context else []
    # An async task runs here on an event loop of its own.
    return task.call(*context, *result.args, **result.kwargs)


def successful(result: JobResult, value: Any) -> JobResult:
    ended = replace(result, status=TaskResultStatus.SUCCESSFUL)
    returned(ended, value)
    return ended


def failed(result: JobResult, answer: Fail | Retry) -> JobResult:
    error = TaskError(exception_class_path=answer.error_type, traceback=answer.reason)
    return replace(result, status=TaskResultStatus.FAILED, errors=[*result.errors, error])


def finished(backend: BaseTaskBackend, result: JobResult, context: Context) -> None:
    """Send the signal, a moment before the end is stored."""
    if result.last_attempted_at:
        ran = timedelta(seconds=time.monotonic() - context.started)
        # The database's clock, as all times of a job
        object.__setattr__(result, "finished_at", result.last_attempted_at + ran)
    task_finished.send_robust(type(backend), task_result=result)
