"""When will a job start and end? Before it is stored, and while it waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from jobs import ranking
from jobs.estimates import estimate
from jobs.handlers import registry
from jobs.handlers.external import ExternalHandler
from jobs.models import Ready
from jobs.models.job import Expected
from jobs.queue import sql
from jobs.queue.backlog import EARLY_RATIO, LATE_RATIO, Wait, profile_of, ranged
from jobs.queue.described import asked_of, default_name
from jobs.queue.new_job import NewJob, canonical
from jobs.queue.places import at_least, behind_of, stretch
from jobs.queue.shares import share_of
from orgs.models import Org, User

# Reading more of a backlog than this would make the question dearer than the answer is worth.
BACKLOG_BOUND = 20_000
# Attempts that ended of late, of which those that were a job's first tell how right it was.
STARTS = 500


@dataclass(frozen=True, slots=True)
class Forecast:
    """Milliseconds to run (p50, p10, p90), the chance of a failure, and seconds until start and end.

    The seconds are None when no worker serves the queue; the range and the chance, where no run is known.
    """

    predicted_ms: float
    low_ms: float | None
    high_ms: float | None
    failure_probability: float | None
    source: str
    model_version: int | None
    priority: float
    wait: Wait | None
    expected: Expected | None

    @property
    def starts_in_seconds(self) -> float | None:
        return self.wait.wait_seconds if self.wait else None


def forecast(org: Org, new: NewJob, user: User | None) -> Forecast:
    """Estimate without storing anything. Raises UnknownJobType."""
    registry.get(new.type)
    estimated = estimate(org, asked_of(new, new.name or default_name(new), len(canonical(new.payload))), user=user)
    share = share_of(org.pk, new.queue)
    lead = share.lead()
    placed = at_least(lead, share) * stretch(share.policy, new, estimated.ms, share.tuning)
    wait = wait_of(org, new.type, new.queue, placed, known_ms=lead * share.tuning.rate * 1000)
    run = (estimated.ms, estimated.low_ms, estimated.high_ms)
    return Forecast(
        predicted_ms=estimated.ms,
        low_ms=estimated.low_ms,
        high_ms=estimated.high_ms,
        failure_probability=estimated.failure_probability,
        source=estimated.source,
        model_version=estimated.model_version,
        priority=ranking.priority(estimated.ms),
        wait=wait,
        expected=expected(timezone.now(), wait, *run) if wait else None,
    )


def expected(now: datetime, wait: Wait, predicted_ms: float, low_ms: float | None, high_ms: float | None) -> Expected:
    """Of a job that waits so long from now and runs as predicted."""
    start, low, high = (now + timedelta(seconds=seconds) for seconds in wait)
    return Expected.of(start, low, high, predicted_ms, low_ms, high_ms)


def wait_of(org: Org, type: str, queue: str, offset: float, known_ms: float = 0.0) -> Wait | None:
    """Of a job queued now, so far after those without a lead; None when no worker serves it."""
    known = profile_of(queue)
    now = known.now
    if type == ExternalHandler.type:
        return own_wait(org, queue, now + offset)
    return (
        known.profile.wait(behind_of(known, org.pk, type, now) + offset, now, known_ms) if known.profile.slots else None
    )


def waits(org: Org, ready: Ready, ahead_ms: float) -> Wait | None:
    """From now until the start of one that waits, with at least so much work before it."""
    known = profile_of(ready.queue)
    if ready.type == ExternalHandler.type:
        return own_wait(org, ready.queue, ready.rank)
    if not known.profile.slots:
        return None
    return known.profile.wait(ready.rank - known.now, known.now, ahead_ms, ready.predicted_ms)


def own_wait(org: Org, queue: str, rank: float) -> Wait | None:
    """By the organisation's own workers: from the predicted work ahead of this rank, over their slots."""
    (ahead,) = sql.run(
        "forecast", rank=rank, queue=queue, types=[ExternalHandler.type], org_id=org.pk, bound=BACKLOG_BOUND
    )
    if not ahead.slots:
        return None
    free = ahead.running < ahead.slots and not ahead.waiting_ms
    seconds = 0.0 if free else float((ahead.waiting_ms + float(ahead.running_ms)) / 1000 / ahead.slots)
    return ranged(seconds, EARLY_RATIO, LATE_RATIO)


def start_errors(org: Org, attempts: int = STARTS) -> sql.Row:
    """`jobs`, `median_error_seconds` and `within_range` of the jobs that started in the newest attempts."""
    (found,) = sql.run("start_errors", org_id=org.pk, attempts=attempts)
    return found
