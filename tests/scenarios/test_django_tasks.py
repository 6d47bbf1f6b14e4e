"""Django Tasks in worker processes: to the end, told to stop, and killed."""

import signal
from pathlib import Path

import pytest

from jobs.models import Lease, WorkerProcess
from jobs.tasks_api import AnyResult, TaskResultStatus
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.backend import tasks
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, patiently


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def status_of(result: AnyResult) -> str:
    result.refresh()
    return str(result.status)


def running(tmp_path: Path) -> tuple[AnyResult, Path]:
    """A task that a worker has begun, and the file it waits for."""
    goal, started = tmp_path / "goal", tmp_path / "started"
    result = tasks.until_file.enqueue(str(goal), str(started))
    patiently(started.exists)
    return result, goal


def test_workers_share_the_tasks_and_leave(fleet: Fleet, org: Org) -> None:
    results = [tasks.meaning_of_life.enqueue() for _ in range(20)]
    exits = [tasks.system_exit.enqueue(), tasks.keyboard_interrupt.enqueue()]

    workers = [fleet.manage("runworker", "--until-empty") for _ in range(2)]

    assert [worker.ended() for worker in workers] == [0, 0]
    assert {status_of(result) for result in results} == {"SUCCESSFUL"}
    assert {(result.return_value, result.attempts) for result in results} == {(42, 1)}
    assert [status_of(result) for result in exits] == ["FAILED", "FAILED"]
    written = "".join(worker.text for worker in workers)
    for result in results:
        assert written.count(f"Task id={result.id} ") == 2
    assert_whole()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_to_stop_lets_its_task_end(
    told: signal.Signals, fleet: Fleet, org: Org, tmp_path: Path
) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="60")
    result, goal = running(tmp_path)
    assert status_of(result) == "RUNNING"

    worker.send(told)
    goal.touch()

    assert worker.ended() == 0
    assert (status_of(result), result.return_value) == ("SUCCESSFUL", "there")


def test_a_task_that_does_not_end_in_time_is_given_back(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    """It may be tried once only, and that try is not burnt."""
    (worker,) = fleet.workers(1)
    result, goal = running(tmp_path)

    worker.send(signal.SIGTERM)

    assert worker.ended() == 0
    assert (status_of(result), result.errors) == ("READY", [])
    goal.touch()
    fleet.manage("runworker", "--until-empty").ended()
    assert (status_of(result), result.attempts) == ("SUCCESSFUL", 2)


def test_a_second_signal_stops_the_worker_at_once(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="600")
    result, _ = running(tmp_path)

    worker.send(signal.SIGTERM)
    patiently(WorkerProcess.objects.filter(status="draining").exists)
    worker.send(signal.SIGTERM)

    assert worker.ended() == 128 + signal.SIGTERM
    # Until its lease ends.
    assert status_of(result) == "RUNNING"


def test_a_task_whose_worker_is_killed_has_failed(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    (worker,) = fleet.workers(1)
    fleet.watchdog()
    result, _ = running(tmp_path)

    worker.send(signal.SIGKILL)

    assert worker.ended() == -signal.SIGKILL
    patiently(lambda: status_of(result) == TaskResultStatus.FAILED)
    assert [error.exception_class.__name__ for error in result.errors] == ["LeaseLost"]
    assert not Lease.objects.exists()
