"""One face for all peers: python -m bench.peers.with_x describe | setup | single N | bulk N | idle N | work OPTION."""

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from bench.peers.counter import read

BULK = 1_000
PATIENCE_SECONDS = 10.0


class Peer(ABC):
    """A queue that is measured. Its handler calls counter.count() and does nothing else."""

    # How many jobs the store shows as done: SQL for PostgreSQL; Redis peers give done() instead.
    done_sql = ""
    # What a worker may be tuned with (slots, batch size): the best is reported.
    options: Sequence[int] = (1,)

    @abstractmethod
    def setup(self) -> None: ...

    def open(self) -> None:  # noqa: B027 most have nothing to open
        """Before enqueueing."""

    @abstractmethod
    def enqueue(self) -> None: ...

    def enqueue_bulk(self, number: int) -> None:
        """As the peer's users would: by its own bulk call where it has one."""
        for _ in range(number):
            self.enqueue()

    @abstractmethod
    def work(self, option: int) -> None:
        """Run a worker until SIGTERM."""


def main(peer_class: type[Peer]) -> None:
    if peer_class.__module__ != "__main__":
        return
    verb, *numbers = sys.argv[1:]
    peer = peer_class()
    if verb == "describe":
        print(json.dumps({"done_sql": peer.done_sql, "options": list(peer.options)}))
    elif verb == "setup":
        peer.setup()
    elif verb == "work":
        peer.work(int(numbers[0]))
    else:
        peer.open()
        print(json.dumps(MEASURES[verb](peer, *map(int, numbers))))


def single(peer: Peer, number: int) -> float:
    """Jobs a second, each committed before the next."""
    begun = time.perf_counter()
    for _ in range(number):
        peer.enqueue()
    return number / (time.perf_counter() - begun)


def bulk(peer: Peer, number: int) -> float:
    begun = time.perf_counter()
    for _ in range(number // BULK):
        peer.enqueue_bulk(BULK)
    return number / (time.perf_counter() - begun)


def idle(peer: Peer, number: int) -> list[float]:
    """Milliseconds from the return of enqueue to the handler, one job at a time, the worker asleep before each."""
    waits = []
    folder = Path(os.environ["BENCH_COUNTS"])
    for _ in range(number):
        known = read(folder).runs
        peer.enqueue()
        committed = time.monotonic_ns()
        waits.append((next_run(folder, known) - committed) / 1e6)
        time.sleep(0.02)
    return waits


def next_run(folder: Path, known: int) -> int:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = read(folder)
        if found.runs > known:
            return found.last_ns
        time.sleep(0.001)
    raise TimeoutError("the job was not run")


MEASURES = {"single": single, "bulk": bulk, "idle": idle}
