"""Tasks run by a real worker."""

from jobs.tasks_api import TaskResultStatus
from orgs.models import Org
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import RunWorker


def test_an_enqueued_task_is_run(org: Org, run_worker: RunWorker) -> None:
    result = tasks.meaning_of_life.enqueue()
    assert result.status == TaskResultStatus.READY

    run_worker()

    assert result.status == TaskResultStatus.READY
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 42, 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result.last_attempted_at == result.started_at
