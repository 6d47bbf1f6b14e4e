"""Real processes that end with their test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Fleet, Receiver, receiver


@pytest.fixture
def fleet(transactional_db: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Ends before the tables are emptied. What the processes wrote is shown when the test fails."""
    fleet = Fleet(tmp_path)
    failed = request.session.testsfailed
    yield fleet
    fleet.close()
    if request.session.testsfailed > failed:
        for process in fleet.processes:
            print(f"--- {process.log_path.name}\n{process.text[-3000:]}")


@pytest.fixture
def counting() -> Iterator[Receiver]:
    with receiver() as server:
        yield server
