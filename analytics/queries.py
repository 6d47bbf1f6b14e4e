"""What an organisation's numbers are. Each question is one bounded statement; nothing counts the job table."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from analytics import sql
from jobs.models import DepthSample, Job, Lease, Transition
from jobs.states import Status
from orgs.models import Org

THROUGHPUT_HOURS, THROUGHPUT_BUCKETS, ATTEMPTS_BOUND = 24, 48, 50_000
DEPTH_BUCKETS = 72
DEAD_BOUND, POOL_BOUND, LEASES_BOUND = 1_000, 200, 1_000
PREDICTION_POINTS = 200


def version(org: Org) -> int:
    """Grows with every move of a job of the organisation: what live pages compare."""
    moves = Transition.objects.filter(org_id=org.pk).order_by("-id").values_list("id", flat=True)
    return moves.first() or 0


def counts(org: Org) -> dict[str, Any]:
    """Exact at the moment of asking."""
    (row,) = sql.run("counts", org_id=org.pk, dead_seconds=settings.WORKER_DEAD_SECONDS)
    known = row["by_status"]
    stored: dict[str, int] = json.loads(known) if isinstance(known, str) else known
    by_status = {str(status): stored.get(status, 0) for status in Status}
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "active_workers": row["active_workers"],
        "queue_depth": by_status[Status.QUEUED],
        "dead_letters": by_status[Status.FAILED],
    }


@dataclass(frozen=True, slots=True)
class Health:
    """`dead_last_hour` stops at DEAD_BOUND."""

    oldest_waiting_seconds: float | None
    dead_last_hour: int
    paused_queues: int


def health(org: Org) -> Health:
    (row,) = sql.run("health", org_id=org.pk, bound=DEAD_BOUND)
    return Health(**row)


def throughput(org: Org, *, hours: int = THROUGHPUT_HOURS, buckets: int = THROUGHPUT_BUCKETS) -> list[dict[str, Any]]:
    """Attempts that ended, done or failed, per interval; `complete` is False where the bound cut off older ones."""
    return sql.run(
        "throughput",
        org_id=org.pk,
        stride_seconds=hours * 3600 / buckets,
        buckets=buckets,
        bound=ATTEMPTS_BOUND,
    )


def depth(org: Org, *, seconds: float, buckets: int = DEPTH_BUCKETS) -> list[dict[str, Any]]:
    """Peaks of waiting and running jobs per interval; intervals without a sample are left out."""
    return sql.run("depth", org_id=org.pk, stride_seconds=seconds / buckets, buckets=buckets)


def depth_window_seconds(org: Org) -> int:
    """How far back a depth chart should look: as far as there is something to see, a day at most."""
    day_ago = timezone.now() - timedelta(days=1)
    first = DepthSample.objects.filter(org_id=org.pk, at__gte=day_ago).aggregate(first=Min("at"))["first"]
    known = (timezone.now() - first).total_seconds() if first else 0
    # each of these makes at least a sample per interval
    windows = (18 * 60, 3600, 6 * 3600)
    return next((window for window in windows if known < window), 24 * 3600)


def predictions(org: Org) -> list[dict[str, Any]]:
    """The last runs, newest first: predicted and actual milliseconds."""
    return sql.run("predictions", org_id=org.pk, points=PREDICTION_POINTS)


def leader() -> dict[str, Any]:
    """The leader's term and `state`: active, stale (its heartbeat is late) or none."""
    rows = sql.run("leader")
    if not rows:
        return {"state": "none"}
    term = rows[0]
    if term["ended_at"] is not None:
        state = "none"
    else:
        state = "active" if term["beat_age_seconds"] <= settings.LEADER_STALE_SECONDS else "stale"
    return {**term, "name": f"{term['hostname']}-{term['pid']}", "state": state}


@dataclass(frozen=True, slots=True)
class Running:
    """A job a worker is running; `title` is None when it is another organisation's."""

    job_id: UUID | None
    title: str | None
    since: datetime


def pool(org: Org) -> list[dict[str, Any]]:
    """The processes with what each is running: jobs of the organisation by name, of others only that they are."""
    processes = sql.run("pool", bound=POOL_BOUND)
    for process in processes:
        for field in ("queues", "types"):
            if isinstance(process[field], str):
                process[field] = json.loads(process[field])
    leases = Lease.objects.filter(worker_id__in=[process["id"] for process in processes]).order_by("leased_at")
    held = list(leases.values_list("worker_id", "job_id", "org_id", "leased_at")[:LEASES_BOUND])
    own = [job_id for _, job_id, org_id, _ in held if org_id == org.pk]
    names = {job.pk: job.title or job.name for job in Job.objects.for_org(org).filter(pk__in=own).only("title", "name")}
    running: dict[UUID, list[Running]] = {}
    for worker_id, job_id, _, since in held:
        mine = job_id in names
        running.setdefault(worker_id, []).append(
            Running(job_id if mine else None, names[job_id] if mine else None, since)
        )
    dead_seconds = settings.WORKER_DEAD_SECONDS
    return [
        {
            **process,
            "name": f"{process['hostname']}-{process['pid']}",
            "late": process["status"] in {"online", "draining"} and process["beat_age_seconds"] > dead_seconds,
            "running": running.get(process["id"], []),
        }
        for process in processes
    ]
