"""Processes that are stepped by hand."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs.processes import keeper as keeper_module
from jobs.processes import loop as loop_module
from jobs.processes import worker as worker_module
from jobs.processes.worker import Worker
from tests import tasks


@pytest.fixture
def make_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Worker]]:
    """Workers whose step() the test calls; their slots are real threads. Every gate is opened at the end."""
    monkeypatch.setattr(loop_module, "RECOVERY_SECONDS", 0.01)
    made: list[Worker] = []

    def make(**fields: Any) -> Worker:
        worker = Worker(**{"queues": ["default"], "slots": 2, **fields})
        made.append(worker)
        return worker

    tasks.GATES.clear()
    yield make
    for gate in list(tasks.GATES.values()):
        gate.set()
    for worker in made:
        worker.lookout.listener.close()
        worker.close_sockets()


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "STOP_GRACE_SECONDS", -1.0)
    monkeypatch.setattr(worker_module, "RELEASE_GRACE_SECONDS", 0.05)


@pytest.fixture
def keep_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's transaction is on it."""
    monkeypatch.setattr(Worker, "forget_connection", lambda self: None)
