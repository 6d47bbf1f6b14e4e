"""Real workers in the test's own process, and one organisation, so that none need be named."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs.processes.worker import Worker
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.backend import tasks

RunWorker = Callable[..., Worker]


@pytest.fixture
def org(transactional_db: None) -> Org:
    return make_org("acme")


@pytest.fixture
def run_worker(transactional_db: None) -> Iterator[RunWorker]:
    """Run whatever waits, to its end; returns the worker."""
    tasks.RAN.clear()
    tasks.GATES.clear()

    def run(*queues: str, **fields: Any) -> Worker:
        worker = Worker(**{"queues": queues or ["default"], "slots": 1, "until_empty": True, **fields})
        worker.run()
        return worker

    yield run
    for gate in list(tasks.GATES.values()):
        gate.set()
