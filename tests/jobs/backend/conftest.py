"""Real workers in the test's own process; an organisation, so that none need be named; and who listens."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections

from jobs.processes.worker import Worker
from jobs.tasks_api import AnyResult, task_enqueued, task_finished, task_started
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.backend import tasks

RunWorker = Callable[..., Worker]
Heard = list[tuple[str, AnyResult]]
BACKEND = "jobs.backend.SmartQueueBackend"


@pytest.fixture
def org(db: None) -> Org:
    return make_org("acme")


@pytest.fixture
def run_worker(transactional_db: None) -> Iterator[RunWorker]:
    """Run whatever waits in these queues, to its end; returns the worker."""
    tasks.RAN.clear()
    tasks.GATES.clear()

    def run(*queues: str, **fields: Any) -> Worker:
        worker = Worker(**{"queues": queues or ["default"], "slots": 1, "until_empty": True, **fields})
        worker.run()
        return worker

    yield run
    for gate in list(tasks.GATES.values()):
        gate.set()
    # The thread in which coroutines use the database keeps its connection, as long as the process lives.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture
def heard() -> Iterator[Heard]:
    """The signals that were sent, with what they told."""
    signals = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}
    got: Heard = []
    listeners = []
    for name, signal in signals.items():

        def listen(sender: type, task_result: AnyResult, name: str = name, **rest: Any) -> None:
            assert f"{sender.__module__}.{sender.__qualname__}" == BACKEND
            got.append((name, task_result))

        signal.connect(listen)
        listeners.append((signal, listen))
    yield got
    for signal, listen in listeners:
        signal.disconnect(listen)
