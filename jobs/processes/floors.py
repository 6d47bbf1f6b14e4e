"""From which rank on a worker's claims look: below it, it knows, nothing waits."""

import time
from collections.abc import Mapping, Sequence

from jobs.queue.claim import Claimed

LOOK_SECONDS = 1.0
# A look everywhere may take this share of the time: where a long transaction keeps what was taken before from being
# cleared away, it reads past all of that.
LOOK_SHARE = 0.05


class Floors:
    """By queue and type. All jobs below the last that was taken are gone, and of new ones that come in below we are
    told; a look everywhere once a second finds what a lost notification told of."""

    def __init__(self) -> None:
        self._floors: dict[str, dict[str, float]] = {}
        self._look_at: dict[str, float] = {}
        self._asked_at = 0.0

    def of(self, queue: str) -> Mapping[str, float]:
        """For the next claim; empty to look everywhere."""
        self._asked_at = time.monotonic()
        if self._asked_at >= self._look_at.get(queue, 0.0):
            return {}
        return self._floors.setdefault(queue, {})

    def known(self, queue: str) -> Mapping[str, float]:
        return self._floors.get(queue, {})

    def taken(self, queue: str, claims: Sequence[Claimed], *, everywhere: bool) -> None:
        """What that claim answered, in order of rank."""
        now = time.monotonic()
        if everywhere:
            self._look_at[queue] = now + max(LOOK_SECONDS, (now - self._asked_at) / LOOK_SHARE)
        floors = self._floors.setdefault(queue, {})
        for claimed in claims:
            floors[claimed.type] = claimed.rank

    def lower(self, queue: str, rank: float) -> None:
        """A job has come in at this rank."""
        floors = self._floors.get(queue, {})
        for type, floor in floors.items():
            floors[type] = min(floor, rank)
