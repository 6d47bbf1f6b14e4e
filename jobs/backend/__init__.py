"""Django Tasks on SmartQueue: TASKS = {"default": {"BACKEND": "jobs.backend.SmartQueueBackend"}}."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage

from jobs.backend.current import using_org
from jobs.handlers.base import Answer, Context
from jobs.tasks_api import AnyResult, AnyTask, BaseTaskBackend, TaskResultDoesNotExist, task_enqueued

__all__ = ["SmartQueueBackend", "using_org"]


class SmartQueueBackend(BaseTaskBackend):
    """Each enqueued task is a job. OPTIONS: ORG, MAX_ATTEMPTS, TIMEOUT_SECONDS.

    A @task may be met while Django still loads its apps, and makes its backend then: so what needs models is imported
    where it is used.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AnyResult:
        """Store the job in the caller's transaction. Raises InvalidTaskError; TypeError or ValueError for arguments
        that are not JSON; ImproperlyConfigured where the organisation cannot be told."""
        from jobs.backend.submit import submit

        self.validate_task(task)
        result = submit(self, task, args, kwargs)
        # Robustly: the job is stored, whatever somebody who listens makes of it.
        task_enqueued.send_robust(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> AnyResult:
        """Raises TaskResultDoesNotExist, also for what belongs to another organisation."""
        from jobs.backend.results import find
        from jobs.backend.submit import org_of

        if found := find(org_of(self), result_id):
            return found
        raise TaskResultDoesNotExist(result_id)

    def perform(self, task: AnyTask, context: Context) -> Answer:
        """One attempt, in a worker."""
        from jobs.backend.perform import perform

        return perform(self, task, context)

    async def perform_async(self, task: AnyTask, context: Context) -> Answer:
        """One attempt, on a worker's event loop."""
        from jobs.backend.perform import perform_async

        return await perform_async(self, task, context)

    def check(self, **kwargs: Any) -> Iterable[CheckMessage]:
        from jobs.backend.checks import faults

        return [*super().check(**kwargs), *faults(self)]
