"""A job as the result of its task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jobs.backend.current import using_org
from jobs.handlers.django_task import DjangoTaskHandler, task_at
from jobs.models import Attempt, Job
from jobs.states import Outcome, Status
from jobs.tasks_api import AnyResult, AnyTask, TaskError, TaskResultStatus
from orgs.models import Org

STATUSES = {
    Status.SCHEDULED: TaskResultStatus.READY,
    Status.QUEUED: TaskResultStatus.READY,
    Status.RUNNING: TaskResultStatus.RUNNING,
    Status.DONE: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
}
ERRORS = {Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.LOST}
# What the queue itself says of an attempt, as exceptions; those of tasks come with their full path.
CLASS_PATHS = {"Timeout": "builtins.TimeoutError", "LeaseLost": "jobs.errors.LeaseLost"}
CANCELLED = TaskError(exception_class_path="asyncio.exceptions.CancelledError", traceback="The job was cancelled.\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult(AnyResult):
    """Knows its organisation, in which it is looked up again."""

    org: str

    def refresh(self) -> None:
        with using_org(self.org):
            AnyResult.refresh(self)

    async def arefresh(self) -> None:
        with using_org(self.org):
            await AnyResult.arefresh(self)


def find(org: Org, result_id: str) -> JobResult | None:
    """None for what is unknown, malformed, another organisation's or no task."""
    try:
        jobs = Job.objects.for_org(org).filter(pk=UUID(result_id), type=DjangoTaskHandler.type)
    except (ValueError, AttributeError, TypeError):
        return None
    job = jobs.with_state().first()
    return result_of(job, org.slug) if job else None


def result_of(job: Job, org: str) -> JobResult:
    """Of a job with_state(). Raises what task_at() does."""
    ended = list(Attempt.objects.filter(job_id=job.pk).order_by("number")) if job.attempt else []
    starts = [attempt.started_at for attempt in ended] + one(job.lease_started_at)
    result = JobResult(
        task=task_of(job),
        id=str(job.pk),
        status=STATUSES[Status(job.state)],
        enqueued_at=job.created_at,
        started_at=starts[0] if starts else None,
        finished_at=job.finished_at,
        last_attempted_at=starts[-1] if starts else None,
        args=job.payload["args"],
        kwargs=job.payload["kwargs"],
        backend=job.payload["backend"],
        errors=errors(job, ended),
        worker_ids=[attempt.worker_name for attempt in ended] + one(job.lease_worker),
        org=org,
    )
    if job.state == Status.DONE:
        returned(result, job.result)
    return result


def one(value: Any) -> list[Any]:
    return [] if value is None else [value]


def returned(result: AnyResult, value: Any) -> None:
    """The class has no other way to set it."""
    object.__setattr__(result, "_return_value", value)


def task_of(job: Job) -> AnyTask:
    """As it was when it was enqueued."""
    call = job.payload
    return task_at(call["task"]).using(
        priority=call["priority"],
        queue_name=job.queue,
        run_after=datetime.fromisoformat(call["run_after"]) if "run_after" in call else None,
        backend=call["backend"],
    )


def errors(job: Job, ended: Sequence[Attempt]) -> list[TaskError]:
    found = [
        TaskError(exception_class_path=class_path(attempt.error_type), traceback=attempt.error)
        for attempt in ended
        if attempt.outcome in ERRORS
    ]
    return [*found, CANCELLED] if job.state == Status.CANCELLED else found


def class_path(error_type: str) -> str:
    return error_type if "." in error_type else CLASS_PATHS.get(error_type, "builtins.RuntimeError")
