"""A queue with identical workers at simulated time: no run is broken off, the lowest rank starts first."""

import math
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Protocol


class Discipline(Protocol):
    """What gives jobs their ranks. Jobs are numbers, times are seconds; it is told what happens, in order."""

    def queued(self, job: int, now: float) -> float:
        """The rank of a job that comes in now."""

    def started(self, job: int, now: float) -> None:
        """A worker took it."""

    def ended(self, job: int, now: float) -> None:
        """Its run is over."""


class Ranked:
    """Ranks that are known beforehand."""

    def __init__(self, ranks: Sequence[float]) -> None:
        self.ranks = ranks

    def queued(self, job: int, now: float) -> float:
        return self.ranks[job]

    def started(self, job: int, now: float) -> None:
        """Nothing depends on it."""

    def ended(self, job: int, now: float) -> None:
        """Nothing depends on it."""


def serve(arrivals: Sequence[float], runtimes: Sequence[float], workers: int, discipline: Discipline) -> list[float]:
    """When each job starts, in seconds. `arrivals` ascend; of equal ranks the one that came first starts first."""
    starts = [0.0] * len(arrivals)
    waiting: list[tuple[float, int]] = []
    running: list[tuple[float, int]] = []
    coming = 0
    while coming < len(arrivals) or waiting:
        next_arrival = arrivals[coming] if coming < len(arrivals) else math.inf
        now = min(next_arrival, running[0][0] if running else math.inf)
        # what ends now is known to what comes in now
        while running and running[0][0] <= now:
            discipline.ended(heappop(running)[1], now)
        while coming < len(arrivals) and arrivals[coming] <= now:
            heappush(waiting, (discipline.queued(coming, now), coming))
            coming += 1
        while waiting and len(running) < workers:
            job = heappop(waiting)[1]
            starts[job] = now
            heappush(running, (now + runtimes[job], job))
            discipline.started(job, now)
    return starts
