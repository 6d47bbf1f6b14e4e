"""Clients that submit over REST while something happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.load import Load
from tests.processes import patiently


class Small(Load):
    """Submits and cancels as the chaos does, of jobs that end at once; keys begin with a name of the load's own."""

    schedules_made = 0

    def __init__(self, address: str, folder: Path, rate: float, name: str) -> None:
        super().__init__(address, folder, rate, seed=1)
        self.name = name

    def submit(self, key: str, *, twice: bool) -> None:
        super().submit(f"{self.name}-{key}", twice=twice)

    def job(self) -> dict[str, Any]:
        with self.lock:
            number = self.draw.randrange(10**6)
        return {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": number, "b": 1}}}

    def acknowledged(self) -> set[str]:
        """The ids of all jobs that were answered for."""
        with self.lock:
            return {job_id for answers in self.told.acknowledged.values() for job_id in answers}


@contextmanager
def load_on(address: str, tmp_path: Path, rate: float, token: str = "") -> Iterator[Small]:
    """Clients that submit over REST, so many times a second; ended when this is left."""
    load = Small(address.removeprefix("http://"), tmp_path, rate, name=address.rpartition(":")[2])
    if token:
        load.token = token
        load.until_answered("GET", "/healthz", {})
    else:
        load.register()
    load.told.faults.clear()  # the web was about to start
    load.start()
    try:
        yield load
    finally:
        load.stop()


def under_way(load: Load, more: int = 10) -> None:
    """So many more submits are answered."""
    known = len(load.told.waits)
    patiently(lambda: len(load.told.waits) >= known + more)
