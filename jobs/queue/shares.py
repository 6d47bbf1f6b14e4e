"""How far an organisation is ahead of its share of a queue, as this process knows it: the start tags of new jobs.

The lead is a leaky bucket: each job adds its predicted cost over the rate of the organisation's share, and time takes
a second a second. It is kept here and in a row (jobs_queueshare), which is read at most once a second and told of what
came in as rarely, and only while the organisation is ahead: a row written by each submit would be waited for by all the
next. Calls with many jobs, and those of queues in order of arrival, tell it first. docs/decisions/0014-shares.md.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection, transaction

from jobs.estimates import unspoilt
from jobs.queue import sql
from jobs.queue.backlog import STALE_SECONDS
from jobs.ranking import SHORTEST_MS, Tuning, lead_after, shrunk

log = logging.getLogger(__name__)

FIFO = "fifo"
# A call of so many jobs pays for a statement of its own.
MANY = 100
# The means are over about so many jobs of late.
MEAN_JOBS = 500
# Of ln ms, where nothing was predicted yet.
UNKNOWN_VARIANCE = 1.0
SHARES_KEPT = 20_000


class Added(NamedTuple):
    """What came in since the row was told: the work, and what its means are made of."""

    cost_ms: float = 0.0
    jobs: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def plus(self, more: "Added") -> "Added":
        return Added(
            self.cost_ms + more.cost_ms, self.jobs + more.jobs, self.logs + more.logs, self.squares + more.squares
        )


NOTHING = Added()


def untuned() -> Tuning:
    """Of an organisation of which nothing is known in a queue of which nothing is known."""
    return tuning_of()


class Share:
    """One organisation in one queue."""

    def __init__(self, org_id: int, queue: str) -> None:
        self.org_id, self.queue = org_id, queue
        self.policy = settings.QUEUE_POLICY
        self.tuning = untuned()
        self._lock = threading.Lock()
        # By time.monotonic(), as all times here.
        self._lead_until = 0.0
        self._fresh_until = 0.0
        self._told_at = 0.0
        self._added_at = 0.0
        self._added = NOTHING
        # Of a queue in order of arrival: the rank behind which the next comes, whatever its lead.
        self._newest_rank = 0.0

    def take(self, predicted_ms: Sequence[float], base: float) -> float:
        """Seconds by which the organisation is ahead at the first of these jobs, which come in now; the others follow.

        `base` is the rank of a job without a lead.
        """
        if not predicted_ms:
            return self.lead()
        fifo = self.policy == FIFO
        cost_ms = sum(predicted_ms)
        self.note(predicted_ms)
        if (fifo or len(predicted_ms) >= MANY) and not connection.in_atomic_block:
            begins = self.tell(cost_ms, base)
            if begins is not None:
                return begins
        if fifo or time.monotonic() >= self._fresh_until:
            self.read()
        lead = self.add(cost_ms, base)
        # not within the caller's transaction, which would keep the row from all others until it ends
        if (lead > 0 or len(predicted_ms) > 1) and self.is_due():
            transaction.on_commit(self.tell, robust=True)
        return lead

    def add(self, cost_ms: float, base: float) -> float:
        """The lead as far as is known here; what it grows by is told later."""
        with self._lock:
            now = time.monotonic()
            lead = self._lead_until - now
            if lead <= 0:
                # what was not told of has had its share since
                self._added = self._added._replace(cost_ms=0.0)
            lead = max(lead, 0.0)
            self._lead_until = now + lead_after(lead, cost_ms, self.tuning.rate)
            self._added = self._added._replace(cost_ms=self._added.cost_ms + cost_ms)
            self._added_at = now
            if self.policy == FIFO:
                lead = max(lead, self._newest_rank - base)
                self._newest_rank = base + lead_after(lead, cost_ms, self.tuning.rate)
        return lead

    def note(self, predicted_ms: Sequence[float]) -> None:
        """For the means of the row."""
        logs = [math.log(max(ms, SHORTEST_MS)) for ms in predicted_ms]
        with self._lock:
            self._added = self._added.plus(Added(0.0, len(logs), sum(logs), sum(log * log for log in logs)))

    def is_due(self) -> bool:
        return time.monotonic() >= self._told_at + settings.SHARE_FRESH_SECONDS or self._added.jobs >= MANY

    def lead(self) -> float:
        """Of a job that came in now."""
        if time.monotonic() >= self._fresh_until:
            self.read()
        return max(self._lead_until - time.monotonic(), 0.0)

    def read(self) -> None:
        """What the row says, and what it has not been told yet on top."""
        try:
            with unspoilt():
                ((policy, lead, newest_rank, looked, *tuned),) = sql.rows("share", org_id=self.org_id, queue=self.queue)
        except Error:
            log.exception("the share of a queue could not be read", extra={"org": self.org_id, "queue": self.queue})
            return
        now = time.monotonic()
        if looked is not None and self._added_at < now - looked:
            # the leader has seen it by itself
            self._added = self._added._replace(cost_ms=0.0)
        tuning = tuning_of(*tuned)
        # no more of it than is left here: time has taken from that too
        untold = min(self._added.cost_ms / 1000.0 / tuning.rate, max(self._lead_until - now, 0.0))
        self.learn(policy, tuning, (lead or 0.0) + untold, newest_rank or 0.0)

    def learn(self, policy: str, tuning: Tuning, lead_seconds: float, newest_rank: float) -> None:
        now = time.monotonic()
        with self._lock:
            self.policy, self.tuning = policy or settings.QUEUE_POLICY, tuning
            self._lead_until, self._fresh_until = now + lead_seconds, now + settings.SHARE_FRESH_SECONDS
            self._newest_rank = max(newest_rank, self._newest_rank)

    def tell(self, more_ms: float = 0.0, base: float = 0.0) -> float | None:
        """Add to the row what came in, and `more_ms` that is about to; returns the lead before that.

        None when another has the row at this moment: what came in is told the next time.
        """
        with self._lock:
            added, self._added, self._told_at = self._added, NOTHING, time.monotonic()
        jobs = max(added.jobs, 1)
        try:
            rows = sql.rows(
                "add_share",
                org_id=self.org_id,
                queue=self.queue,
                cost_seconds=added.cost_ms / 1000.0,
                more_seconds=more_ms / 1000.0,
                ago_seconds=time.monotonic() - self._added_at,
                jobs=added.jobs,
                mean_log_ms=added.logs / jobs,
                mean_square=added.squares / jobs,
                mean_jobs=MEAN_JOBS,
                fifo=self.policy == FIFO,
                base=base,
                newest_rank=self._newest_rank,
                rate=untuned().rate,
            )
        except Error:
            log.exception("the share of a queue could not be told", extra={"org": self.org_id, "queue": self.queue})
            rows = []
        if not rows:
            with self._lock:
                self._added = added.plus(self._added)
            return None
        ((policy, lead, newest_rank, _, *tuned),) = rows
        self.learn(policy, tuning_of(*tuned), lead, newest_rank)
        after = newest_rank - base if self.policy == FIFO else lead
        return max(float(after) - more_ms / 1000.0 / self.tuning.rate, 0.0)


def tuning_of(
    rate: float | None = None,
    mean_log_ms: float | None = None,
    mean_square: float | None = None,
    jobs: float | None = None,
    usual_log_ms: float | None = None,
    usual_variance: float | None = None,
) -> Tuning:
    """Of the columns of a row (None: there is none), and of what is usual in the whole queue (None: not known yet)."""
    seen, own = jobs or 0.0, mean_log_ms or 0.0
    if usual_log_ms is None:
        usual_log_ms = math.log(settings.DEFAULT_PREDICTED_MS) if mean_log_ms is None else own
    mean = shrunk(own, usual_log_ms, seen)
    variance = shrunk(
        max((mean_square or 0.0) - own * own, 0.0), UNKNOWN_VARIANCE if usual_variance is None else usual_variance, seen
    )
    return Tuning(
        settings.RANK_LEAD_MIN_SECONDS, math.exp(mean), rate or float(settings.WORKER_SLOTS), math.sqrt(variance)
    )


_shares: dict[tuple[int, str], Share] = {}


def share_of(org_id: int, queue: str) -> Share:
    found = _shares.get((org_id, queue))
    if found is None:
        if len(_shares) >= SHARES_KEPT:
            _shares.clear()
        found = _shares.setdefault((org_id, queue), Share(org_id, queue))
    return found


def spacing() -> dict[str, float]:
    """What spaced.sql asks for."""
    tuning = untuned()
    return {
        "rate": tuning.rate,
        "typical_ms": tuning.typical_ms,
        "spread": tuning.spread,
        "least_seconds": settings.RANK_LEAD_MIN_SECONDS,
        "stale_seconds": STALE_SECONDS,
    }
