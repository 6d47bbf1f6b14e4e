"""When will a job of this rank start? From a profile of the backlog that the leader writes down, kept for a second.

A job waits for the predicted work of lower rank, for what is left of what runs, and for what comes in meanwhile with a
lower rank yet; the workers' slots do it. The range is that of the errors of late (compare_starts.sql).
"""

import logging
import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings
from django.db import Error

from jobs.estimates import unspoilt
from jobs.queue import sql
from jobs.ranking import base

log = logging.getLogger(__name__)

# What comes in takes no more than this part of the slots: in a rush it would seem that nothing else ever starts.
ARRIVALS_PART = 0.5
# Each time nearer to the wait in which just so much comes in as is done before the job.
ROUNDS = 3
# A profile that nobody renewed is of another time: there is no leader, or nothing waits any more.
STALE_SECONDS = 10.0
PROFILES_KEPT = 1_000
# What is said of the range before anything is known.
EARLY_RATIO, LATE_RATIO = 0.5, 2.0


class Wait(NamedTuple):
    """Seconds until the start: p50, p10 and p90."""

    wait_seconds: float
    wait_low_seconds: float
    wait_high_seconds: float


class Profile(NamedTuple):
    """Of a queue, as jobs_backlog has it."""

    slots: int
    age_seconds: float
    running: int
    running_ms: float
    head_types: Sequence[str]
    heads: Sequence[float]
    head_orgs: Sequence[int]
    others: Sequence[float | None]
    served: Sequence[bool]
    # The ranks end where the leader stopped reading.
    more: bool
    ranks: Sequence[float]
    waiting_ms: Sequence[float]
    offsets: Sequence[float]
    arriving_ms: Sequence[float]
    early_ratio: float
    late_ratio: float

    def wait(self, offset: float, now: float, known_ms: float = 0.0, own_ms: float = 0.0) -> Wait:
        """The same, with its range."""
        return ranged(self.seconds(offset, now, known_ms, own_ms), self.early_ratio, self.late_ratio)

    def seconds(self, offset: float, now: float, known_ms: float = 0.0, own_ms: float = 0.0) -> float:
        """Until a job starts that is queued now with this offset from the time, in a queue that somebody serves.

        `known_ms`: work that is known to be before it, which the profile may not have yet; `own_ms`: its own, which
        the profile has.
        """
        fresh = self.age_seconds < STALE_SECONDS
        waiting_ms = max(self.before(now + offset) - own_ms, 0.0) if fresh else 0.0
        if (ahead_ms := max(waiting_ms, known_ms)) == 0.0 and self.running < self.slots:
            return 0.0
        work_ms = ahead_ms + (self.running_ms if fresh else 0.0)
        seconds = work_ms / 1000 / self.slots
        for _ in range(ROUNDS):
            arriving = up_to(offset - seconds / 2, self.offsets, self.arriving_ms) / 1000
            seconds = work_ms / 1000 / (self.slots - min(arriving, ARRIVALS_PART * self.slots))
        return seconds

    def behind(self, org_id: int, type: str, now: float) -> float:
        """Seconds from now back to the first that waits of another organisation, as a negative number, or 0.

        Of a type that does not wait: as of the one that keeps up best, of those that are served.
        """
        if self.age_seconds >= STALE_SECONDS or not self.head_types:
            return 0.0
        fronts = zip(self.head_types, self.heads, self.head_orgs, self.others, self.served, strict=True)
        found: list[float | None] = []
        for known, head, head_org, other, served in fronts:
            front = head if head_org != org_id else other
            if known == type:
                return base(now, front) - now
            if served:
                found.append(front)
        return base(now, max((front for front in found if front is not None), default=None)) - now

    def before(self, rank: float) -> float:
        """Milliseconds of work that wait before this rank; beyond what was read, as closely as there."""
        known = up_to(rank, self.ranks, self.waiting_ms)
        if not self.more or len(self.ranks) < 2 or rank <= self.ranks[-1]:
            return known
        return known * (rank - self.ranks[0]) / max(self.ranks[-1] - self.ranks[0], 1.0)


def ranged(seconds: float, *ratios: float) -> Wait:
    """With the range that these ratios give, a second added as in compare_starts.sql."""
    low, high = (max((seconds + 1) * ratio - 1, 0.0) for ratio in ratios)
    return Wait(seconds, low, high)


def up_to(place: float, places: Sequence[float], sums: Sequence[float]) -> float:
    """The sum at a place, straight between two that are known."""
    index = bisect_right(places, place)
    if index == len(places):
        return sums[-1] if sums else 0.0
    below, sum_below = (places[index - 1], sums[index - 1]) if index else (places[0], 0.0)
    above = places[index]
    part = (place - below) / (above - below) if above > below else 0.0
    return sum_below + (sums[index] - sum_below) * max(part, 0.0)


# Of a queue that was never measured.
NOTHING = (math.inf, 0, 0.0, (), (), (), (), (), False, (), (), (), (), EARLY_RATIO, LATE_RATIO)


class Known(NamedTuple):
    """A profile, until when it is fresh by time.monotonic(), and the database's time at zero of that."""

    profile: Profile
    fresh_until: float
    epoch: float

    @property
    def now(self) -> float:
        """The database's time."""
        return self.epoch + time.monotonic()


_known: dict[str, Known] = {}


def profile_of(queue: str) -> Known:
    """As it was within the last second. Never fails: without a database nobody serves a queue."""
    found = _known.get(queue)
    if found is None or time.monotonic() >= found.fresh_until:
        if len(_known) >= PROFILES_KEPT:
            _known.clear()
        found = _known[queue] = read(queue)
    return found


def read(queue: str) -> Known:
    try:
        with unspoilt():
            ((now, slots, *columns),) = sql.rows("backlog", queue=queue)
    except Error:
        log.exception("the backlog of a queue could not be read", extra={"queue": queue})
        return Known(Profile(0, *NOTHING), 0.0, time.time() - time.monotonic())
    at = time.monotonic()
    profile = Profile(slots, *(NOTHING if columns[0] is None else columns))
    return Known(profile, at + settings.SHARE_FRESH_SECONDS, now - at)
