"""One face for all peers: python -m bench.peers.with_x VERB NUMBERS.

setup | single JOBS | bulk JOBS | idle JOBS | paced RATE SECONDS | feed RATE SECONDS
    | fill WAITING FINISHED | work OPTION
"""

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from bench.peers.counter import Starts

# Jobs of one bulk call.
BULK = 1_000
WARM_UP = 20
PATIENCE_SECONDS = 30.0
# Called, returned, begun: moments in nanoseconds; 0 for a job that was not begun in time.
Timed = tuple[int, int, int]


class Peer(ABC):
    """A queue that is measured. Its handler calls counter.count(number) and does nothing else."""

    # What a worker may be tuned with: the best is reported.
    options: Sequence[str] = ("1",)
    # What the best was chosen from, and what else was set.
    tuning = ""
    # SQL: how many jobs of the measured queue are done, and how many are not yet. None for Redis peers.
    done_sql: str | None = None
    left_sql: str | None = None
    # Statements that store %(waiting)s jobs of another queue and %(finished)s finished ones.
    fill_sql: Sequence[str] = ()

    @abstractmethod
    def setup(self) -> None: ...

    def open(self) -> None:  # noqa: B027 most have nothing to open
        """Before enqueueing."""

    @abstractmethod
    def enqueue(self, number: int) -> None:
        """One job, stored when this returns."""

    def enqueue_bulk(self, number: int) -> None:
        """So many jobs, as the peer's users would: by its own bulk call where it has one."""
        for _ in range(number):
            self.enqueue(-1)

    def fill(self, waiting: int, finished: int) -> None:
        import psycopg  # the peers on Redis need none

        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            for statement in self.fill_sql:
                connection.execute(statement.encode(), {"waiting": waiting, "finished": finished})

    @abstractmethod
    def work(self, option: str) -> None:
        """Run a worker until SIGTERM."""


def main(peer_class: type[Peer]) -> None:
    if peer_class.__module__ != "__main__":
        return
    verb, *words = sys.argv[1:]
    peer = peer_class()
    match verb:
        case "setup":
            peer.setup()
            print(json.dumps(describe(peer)))
        case "work":
            peer.work(words[0])
        case "fill":
            peer.fill(int(words[0]), int(words[1]))
        case _:
            peer.open()
            print(json.dumps(MEASURES[verb](peer, *map(int, words))))


def describe(peer: Peer) -> dict[str, Any]:
    names = ("options", "tuning", "done_sql", "left_sql")
    return {name: getattr(peer, name) for name in names}


def single(peer: Peer, number: int) -> float:
    """Jobs a second, each stored before the next."""
    for _ in range(WARM_UP):
        peer.enqueue(-1)
    begun = time.perf_counter()
    for _ in range(number):
        peer.enqueue(-1)
    return number / (time.perf_counter() - begun)


def bulk(peer: Peer, number: int) -> float:
    """Jobs a second, in calls of at most BULK, after one that opens what is opened once."""
    peer.enqueue(-1)
    begun = time.perf_counter()
    for done in range(1, number, BULK):
        peer.enqueue_bulk(min(BULK, number - done))
    return (number - 1) / (time.perf_counter() - begun)


def idle(peer: Peer, number: int) -> list[Timed]:
    """One job at a time, the worker asleep before each; after two that open what is opened once."""
    starts = Starts()
    starts.clear()
    timed = []
    for each in range(number + 2):
        called, returned = enqueued(peer, each)
        timed.append((called, returned, starts.wait_for(each, PATIENCE_SECONDS)))
        time.sleep(0.02)
    return timed[2:]


def paced(peer: Peer, rate: int, seconds: int) -> list[Timed]:
    """A steady stream, whatever the worker does; a job that waits long has no bearing on when the next is enqueued."""
    starts = Starts()
    starts.clear()
    begun = time.monotonic()
    sent = []
    for each in range(rate * seconds):
        time.sleep(max(0.0, begun + each / rate - time.monotonic()))
        sent.append(enqueued(peer, each))
    end = time.monotonic() + PATIENCE_SECONDS
    while not all(map(starts.of, range(len(sent)))) and time.monotonic() < end:
        time.sleep(0.05)
    return [(called, returned, starts.of(each)) for each, (called, returned) in enumerate(sent)]


def feed(peer: Peer, rate: int, seconds: int) -> int:
    """Bulk calls, twenty a second, that keep up a rate; returns how many jobs there were."""
    begun, batch = time.monotonic(), max(1, rate // 20)
    for each in range(20 * seconds):
        time.sleep(max(0.0, begun + each / 20 - time.monotonic()))
        peer.enqueue_bulk(batch)
    return batch * 20 * seconds


def enqueued(peer: Peer, number: int) -> tuple[int, int]:
    called = time.monotonic_ns()
    peer.enqueue(number)
    return called, time.monotonic_ns()


MEASURES: dict[str, Callable[..., Any]] = {"single": single, "bulk": bulk, "idle": idle, "paced": paced, "feed": feed}
