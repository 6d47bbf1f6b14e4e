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
from jobs.ranking import SHORTEST_MS, Tuning, lead_after

log = logging.getLogger(__name__)

# A call of so many jobs pays for a statement of its own.
MANY = 100
# The means are over about so many jobs of late.
MEAN_JOBS = 500
SHARES_KEPT = 20_000


class Added(NamedTuple):
    """What came in since the row was told: the work, and what its means are made of."""

    cost_ms: float = 0.0
    jobs: int = 0
    leads: float = 0.0
    logs: float = 0.0

    def plus(self, more: "Added") -> "Added":
        return Added(self.cost_ms + more.cost_ms, self.jobs + more.jobs, self.leads + more.leads, self.logs + more.logs)


NOTHING = Added()


def untuned() -> Tuning:
    """Of an organisation of which nothing is known in a queue."""
    return Tuning(settings.RANK_TAU_MIN_SECONDS, settings.DEFAULT_PREDICTED_MS, float(settings.WORKER_SLOTS))


class Share:
    """One organisation in one queue."""

    def __init__(self, org_id: int, queue: str) -> None:
        self.org_id, self.queue = org_id, queue
        self.policy = ""
        self.tuning = untuned()
        self._lock = threading.Lock()
        # By time.monotonic(), as all times here.
        self._lead_until = 0.0
        self._fresh_until = 0.0
        self._told_at = 0.0
        self._added = NOTHING
        self._added_at = 0.0

    def leads(self, predicted_ms: Sequence[float]) -> list[float]:
        """Seconds by which the organisation is ahead at each of these jobs, which come in now in this order."""
        if not predicted_ms:
            self.lead()
            return []
        fifo = (self.policy or settings.QUEUE_POLICY) == "fifo"
        exact = (fifo or len(predicted_ms) >= MANY) and not connection.in_atomic_block
        if exact and (begins := self.tell(sum(predicted_ms))) is not None:
            return self.noted(spread(begins, predicted_ms, self.tuning.rate), predicted_ms, told=True)
        if fifo or time.monotonic() >= self._fresh_until:
            self.read()
        with self._lock:
            now = time.monotonic()
            lead = self._lead_until - now
            if lead <= 0:
                # what was not told of has had its share since
                self._added = self._added._replace(cost_ms=0.0)
            leads = spread(max(lead, 0.0), predicted_ms, self.tuning.rate)
            self._lead_until = now + lead_after(leads[-1], predicted_ms[-1], self.tuning.rate)
        return self.noted(leads, predicted_ms)

    def lead(self) -> float:
        """Of a job that came in now."""
        if time.monotonic() >= self._fresh_until:
            self.read()
        return max(self._lead_until - time.monotonic(), 0.0)

    def noted(self, leads: list[float], predicted_ms: Sequence[float], *, told: bool = False) -> list[float]:
        """Remember them for the row."""
        logs = sum(math.log(max(ms, SHORTEST_MS)) for ms in predicted_ms)
        with self._lock:
            cost_ms = 0.0 if told else sum(predicted_ms)
            self._added = self._added.plus(Added(cost_ms, len(leads), sum(leads), logs))
            self._added_at = time.monotonic()
            ahead = leads[-1] > 0 or self.tuning.tau_seconds > settings.RANK_TAU_MIN_SECONDS
            due = time.monotonic() >= self._told_at + settings.SHARE_FRESH_SECONDS or self._added.jobs >= MANY
        if ahead and due and not told:
            # not within the caller's transaction, which would keep the row from all others until it ends
            transaction.on_commit(self.tell, robust=True)
        return leads

    def read(self) -> None:
        """What the row says, and what it has not been told yet on top."""
        try:
            with unspoilt():
                ((policy, tau_seconds, typical_ms, rate, lead, looked),) = sql.rows(
                    "share", org_id=self.org_id, queue=self.queue
                )
        except Error:
            log.exception("the share of a queue could not be read", extra={"org": self.org_id, "queue": self.queue})
            return
        tuning = Tuning(tau_seconds, typical_ms, rate) if rate else untuned()
        now = time.monotonic()
        if looked is not None and self._added_at < now - looked:
            # the leader has seen it by itself
            self._added = self._added._replace(cost_ms=0.0)
        # no more of it than is left here: time has taken from that too
        untold = min(self._added.cost_ms / 1000.0 / tuning.rate, max(self._lead_until - now, 0.0))
        self.learn(policy, tuning, (lead or 0.0) + untold)

    def learn(self, policy: str, tuning: Tuning, lead_seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            self.policy, self.tuning = policy, tuning
            self._lead_until, self._fresh_until = now + lead_seconds, now + settings.SHARE_FRESH_SECONDS

    def tell(self, more_ms: float = 0.0) -> float | None:
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
                mean_lead_seconds=added.leads / jobs,
                mean_log_ms=added.logs / jobs,
                part=1.0 - (1.0 - 1.0 / MEAN_JOBS) ** added.jobs,
                **untuned()._asdict(),
            )
        except Error:
            log.exception("the share of a queue could not be told", extra={"org": self.org_id, "queue": self.queue})
            rows = []
        if not rows:
            with self._lock:
                self._added = added.plus(self._added)
            return None
        ((policy, tau_seconds, typical_ms, rate, lead),) = rows
        self.learn(policy, Tuning(tau_seconds, typical_ms, rate), lead)
        return max(float(lead) - more_ms / 1000.0 / float(rate), 0.0)


def spread(lead: float, predicted_ms: Sequence[float], rate: float) -> list[float]:
    """The leads of jobs that come in one behind the other."""
    leads = []
    for ms in predicted_ms:
        leads.append(lead)
        lead = lead_after(lead, ms, rate)
    return leads


_shares: dict[tuple[int, str], Share] = {}


def share_of(org_id: int, queue: str) -> Share:
    found = _shares.get((org_id, queue))
    if found is None:
        if len(_shares) >= SHARES_KEPT:
            _shares.clear()
        found = _shares.setdefault((org_id, queue), Share(org_id, queue))
    return found
