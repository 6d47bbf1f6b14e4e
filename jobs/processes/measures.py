"""What a process counts of itself, for its own /metrics (exposition.py). One thread writes each number."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Seconds: most steps find nothing, a claim takes milliseconds, what takes longer than a lease is in trouble.
BOUNDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0)


@dataclass(slots=True)
class Tally:
    """How often something was done, and how long that took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    # By time.monotonic(); 0 before the first.
    began_at: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        self.began_at = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - self.began_at
            self.seconds += took
            self.counts[bisect_left(BOUNDS, took)] += 1

    @property
    def times(self) -> int:
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """(bound, how many took no longer), the last of them +Inf."""
        sums = [sum(self.counts[: place + 1]) for place in range(len(self.counts))]
        return list(zip([*map(str, BOUNDS), "+Inf"], map(float, sums), strict=True))


@dataclass(slots=True)
class Measures:
    """Of any kind of process; what it does not do stays at nought, and is not told."""

    steps: Tally = field(default_factory=Tally)
    failed_steps: int = 0
    # Of a worker: attempts.
    claimed: int = 0
    renewed: int = 0
    ended: int = 0
    # whose end was refused, for they had lost their lease
    fenced: int = 0
    # Of a watchdog.
    rescued: int = 0
    declared_dead: int = 0
    # Of a scheduler, by the name of the chore.
    chores: dict[str, Tally] = field(default_factory=dict)
    failed_chores: int = 0

    def chore(self, name: str) -> Tally:
        return self.chores.setdefault(name, Tally())
