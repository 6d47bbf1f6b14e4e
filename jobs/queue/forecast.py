"""Before a job is stored: what would it take, and when would it start?"""

from dataclasses import dataclass

from django.conf import settings

from jobs import ranking
from jobs.estimates import estimate
from jobs.handlers import registry
from jobs.queue import sql
from jobs.queue.enqueue import NewJob, canonical, default_name
from orgs.models import Org, User

# Reading more of a backlog than this would make the question dearer than the answer is worth.
BACKLOG_BOUND = 20_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """Milliseconds to run (p50, p10, p90), and seconds until the start; None when no worker serves the queue."""

    predicted_ms: float
    low_ms: float | None
    high_ms: float | None
    source: str
    model_version: int | None
    priority: float
    starts_in_seconds: float | None


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
    offset = ranking.rank_offset(estimated.ms, new.first_urgency, settings.RANK_TAU_SECONDS)
    return Forecast(
        predicted_ms=estimated.ms,
        low_ms=estimated.low_ms,
        high_ms=estimated.high_ms,
        source=estimated.source,
        model_version=estimated.model_version,
        priority=ranking.priority(estimated.ms),
        starts_in_seconds=starts_in_seconds(org, new.type, new.queue, offset),
    )


def starts_in_seconds(org: Org, type: str, queue: str, rank_offset: float) -> float | None:
    """For a job queued now."""
    now = ahead_of(org, type, queue, float("-inf"))
    return waits_seconds(org, type, queue, now.now + rank_offset) if now.slots else None


def waits_seconds(org: Org, type: str, queue: str, rank: float) -> float | None:
    """From the predicted work ahead of this rank, over the slots that serve its queue; None when none does."""
    ahead = ahead_of(org, type, queue, rank)
    if not ahead.slots:
        return None
    if ahead.running < ahead.slots and not ahead.waiting_ms:
        return 0.0
    return float((ahead.waiting_ms + float(ahead.running_ms)) / 1000 / ahead.slots)


def ahead_of(org: Org, type: str, queue: str, rank: float) -> sql.Row:
    """By the workers of the deployment, or of the organisation's own for what those alone take."""
    ours = registry.performed()
    types, org_id = (ours, None) if type in ours else ([type], org.pk)
    (row,) = sql.run("forecast", rank=rank, queue=queue, types=types, org_id=org_id, bound=BACKLOG_BOUND)
    return row
