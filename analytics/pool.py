"""The processes that work on the queue, what each is running, and who leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, DurationField, ExpressionWrapper, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from analytics import sql
from jobs.models import Job, Lease, WorkerProcess
from orgs import walls
from orgs.models import Org

LIVING = (WorkerProcess.ONLINE, WorkerProcess.QUIET, WorkerProcess.DRAINING)
GONE_SHOWN = timedelta(hours=1)
POOL_BOUND, LEASES_BOUND = 200, 1_000
KINDS = ("worker", "scheduler", "watchdog")
LEADER_STATES = ("active", "stale", "none")


@dataclass(frozen=True, slots=True)
class Running:
    """A job a worker is running; of another organisation's, only since when."""

    job_id: UUID | None
    title: str | None
    since: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as an organisation may see it."""

    process: WorkerProcess
    running: list[Running]

    @property
    def beat_age_seconds(self) -> float:
        age: timedelta = self.process.beat_age  # type: ignore[attr-defined]
        return max(age.total_seconds(), 0.0)

    @property
    def late(self) -> bool:
        """It has not said that it stops, nor given a sign of life when it should have."""
        return self.process.status in LIVING and self.beat_age_seconds > settings.WORKER_DEAD_SECONDS

    @property
    def living(self) -> bool:
        return self.process.status in LIVING and not self.late


def processes(org: Org, *, gone_too: bool = False) -> QuerySet[WorkerProcess]:
    """Those of the deployment, and the organisation's own, that live or stopped or were lost in the last hour; with the
    age of their heartbeat by the database. `gone_too`: those of before too."""
    gone = Coalesce("stopped_at", "beat_at")
    return (
        WorkerProcess.objects.select_related("asked_by")
        .annotate(
            beat_age=ExpressionWrapper(Now() - F("beat_at"), DurationField()),
            gone_age=ExpressionWrapper(Now() - gone, DurationField()),
        )
        .filter(
            Q() if gone_too else Q(status__in=LIVING) | Q(gone_age__lt=GONE_SHOWN), Q(org_id=None) | Q(org_id=org.pk)
        )
    )


def pool(org: Org) -> list[Seen]:
    """The living first, then by kind, workers before what serves them."""
    kinds = [When(kind=kind, then=Value(place)) for place, kind in enumerate(KINDS)]
    order = (Case(When(status__in=LIVING, then=Value(0)), default=Value(1)), Case(*kinds), "hostname", "-started_at")
    return seen(org, list(processes(org).order_by(*order)[:POOL_BOUND]))


def seen(org: Org, found: Sequence[WorkerProcess]) -> list[Seen]:
    """With what each is running: jobs of the organisation by name, of others only that there is one."""
    leases = Lease.objects.filter(worker_id__in=[process.pk for process in found]).order_by("leased_at")
    with walls.across(walls.Across.POOL):
        held = list(leases.values_list("worker_id", "job_id", "org_id", "leased_at", "expires_at")[:LEASES_BOUND])
    own = [job_id for _, job_id, org_id, *_ in held if org_id == org.pk]
    names = {job.pk: job.title or job.name for job in Job.objects.for_org(org).filter(pk__in=own).only("title", "name")}
    running: dict[UUID, list[Running]] = {}
    for worker_id, job_id, _, since, expires_at in held:
        ours = job_id in names
        job = Running(job_id if ours else None, names.get(job_id), since, expires_at)
        running.setdefault(worker_id, []).append(job)
    return [Seen(process, running.get(process.pk, [])) for process in found]


def leader() -> dict[str, Any]:
    """The term that is open, else the last one, and `state`: active, stale (its heartbeat is late) or none."""
    rows = sql.run("leader")
    return leading(rows[0] if rows else None)


def leading(term: dict[str, Any] | None) -> dict[str, Any]:
    if term is None:
        return {"state": "none", "name": None, "hostname": None, "pid": None, "epoch": None, "since": None,
                "beat_at": None, "ended_at": None}  # fmt: skip
    if term["ended_at"] is not None:
        state = "none"
    else:
        state = "active" if term["beat_age_seconds"] <= settings.LEADER_STALE_SECONDS else "stale"
    return {**term, "state": state, "name": f"{term['hostname']}-{term['pid']}", "since": term["elected_at"]}


@walls.across(walls.Across.POOL)
def pool_version() -> dict[str, Any]:
    """Parts that differ whenever something about the pool or the leader does."""
    (row,) = sql.run(
        "pool_version",
        dead_seconds=settings.WORKER_DEAD_SECONDS,
        stale_seconds=settings.LEADER_STALE_SECONDS,
    )
    return row
