"""From which rank on a worker's claims look: below it, it knows, nothing waits."""

import time
from collections.abc import Mapping, Sequence

from jobs.queue.claim import ANYWHERE, Claimed

LOOK_SECONDS = 1.0
# A look everywhere may take this share of the time: where a long transaction keeps what was taken before from being
# cleared away, it reads past all of that.
LOOK_SHARE = 0.05


# More spans than these are looked through as one.
MOST_SPANS = 8


class Floors:
    """By queue and type. All jobs below the last that was taken are gone, and of new ones that come in below we are
    told; a look everywhere once a second finds what a lost notification told of.

    Those that come in far below are a span of ranks by themselves: between it and the floor there may be a lot of what
    was taken before.
    """

    def __init__(self) -> None:
        self._floors: dict[str, dict[str, float]] = {}
        self._spans: dict[str, list[tuple[float, float]]] = {}
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

    def spans(self, queue: str) -> Sequence[tuple[float, float]]:
        """(lowest, highest rank) of what has come in below floors."""
        return self._spans.get(queue, [])

    def taken(self, queue: str, claims: Sequence[Claimed], *, everywhere: bool, full: bool) -> None:
        """What that claim answered, in order of rank; `full` when it was as much as was asked for."""
        now = time.monotonic()
        if everywhere:
            self._look_at[queue] = now + max(LOOK_SECONDS, (now - self._asked_at) / LOOK_SHARE)
        floors = self._floors.setdefault(queue, {})
        for claimed in claims:
            # one that was in a span says nothing about what is above
            if everywhere or claimed.rank >= floors.get(claimed.type, ANYWHERE):
                floors[claimed.type] = claimed.rank
        if not claims:
            return  # what there is may be under the lock of another claim
        last = claims[-1].rank
        left = [(max(low, last), high) for low, high in self.spans(queue) if high > last]
        self._spans[queue] = left if full and not everywhere else []

    def lower(self, queue: str, lowest: float, highest: float) -> None:
        """Jobs have come in at these ranks."""
        floors = self._floors.get(queue, {})
        for type, floor in floors.items():
            if highest >= floor:
                floors[type] = min(floor, lowest)
        if any(highest < floor for floor in floors.values()):
            self._spans[queue] = joined([*self.spans(queue), (lowest, highest)])


def joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that overlap as one, so that no job is found twice; and all as one when they are too many."""
    apart: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if apart and low <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], high))
        else:
            apart.append((low, high))
    return apart if len(apart) <= MOST_SPANS else [(apart[0][0], apart[-1][1])]
