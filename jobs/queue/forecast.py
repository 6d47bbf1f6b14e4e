"""When will a job start and end? Before it is stored, and while it waits."""

from dataclasses import dataclass

from django.conf import settings

from jobs import ranking
from jobs.estimates import estimate
from jobs.handlers import registry
from jobs.handlers.external import ExternalHandler
from jobs.models import Ready
from jobs.queue import sql
from jobs.queue.backlog import EARLY_RATIO, LATE_RATIO, Wait, profile_of, ranged
from jobs.queue.enqueue import NewJob, canonical, default_name
from jobs.queue.places import offset
from jobs.queue.shares import share_of
from orgs.models import Org, User

# Reading more of a backlog than this would make the question dearer than the answer is worth.
BACKLOG_BOUND = 20_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """Milliseconds to run (p50, p10, p90), and seconds until start and end; None when no worker serves the queue."""

    predicted_ms: float
    low_ms: float | None
    high_ms: float | None
    source: str
    model_version: int | None
    priority: float
    wait: Wait | None

    @property
    def starts_in_seconds(self) -> float | None:
        return self.wait.wait_seconds if self.wait else None


def forecast(org: Org, new: NewJob, user: User | None) -> Forecast:
    """Estimate without storing anything. Raises UnknownJobType."""
    registry.get(new.type)
    estimated = estimate(
        org,
        type=new.type,
        name=new.name or default_name(new),
        payload_bytes=len(canonical(new.payload)),
        user=user.get_username() if user else "",
    )
    share = share_of(org.pk, new.queue)
    lead = share.lead()
    placed = lead + offset(share.policy or settings.QUEUE_POLICY, new, estimated.ms, share.tuning)
    return Forecast(
        predicted_ms=estimated.ms,
        low_ms=estimated.low_ms,
        high_ms=estimated.high_ms,
        source=estimated.source,
        model_version=estimated.model_version,
        priority=ranking.priority(estimated.ms),
        wait=wait_of(org, new.type, new.queue, placed, own_ms=lead * share.tuning.rate * 1000),
    )


def wait_of(org: Org, type: str, queue: str, offset: float, own_ms: float = 0.0) -> Wait | None:
    """Of a job queued now; None when no worker serves it."""
    known = profile_of(queue)
    if type != ExternalHandler.type:
        return known.profile.wait(offset, known.now, own_ms) if known.profile.slots else None
    return own_wait(org, queue, known.now + offset)


def waits(org: Org, ready: Ready) -> Wait | None:
    """From now until the start of one that waits."""
    known = profile_of(ready.queue)
    return wait_of(org, ready.type, ready.queue, ready.rank - known.now)


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
