"""Why a job has not started yet, and when it will."""

from dataclasses import dataclass

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q

from jobs.models import EVERY, Job, Limit, LimitScope, Queue, Ready, serving
from jobs.pages.order import Order, order_of
from jobs.queue.backlog import Wait, profile_of
from jobs.queue.forecast import waits
from jobs.queue.limit_control import with_use
from jobs.queue.shares import share_of
from jobs.states import Status
from orgs.roles import OrgState

AHEAD_BOUND = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued job's place. `ahead` stops at AHEAD_BOUND; None in `wait`: nothing will start it."""

    ahead: int
    more_ahead: bool
    # Predicted milliseconds of each of those before it, on average, and the slots that take them.
    each_ms: float
    slots: int
    wait: Wait | None
    paused: Queue | None
    # The whole organisation is not active.
    halted: bool
    served: bool
    # What it is limited by, with how far each is used; empty where nothing limits it.
    limits: list[Limit]
    order: Order | None


def waiting(job: Job, queue: Queue | None) -> Waiting | None:
    """None for a job that does not wait in a queue. `queue` is the one it is in."""
    if job.state != Status.QUEUED:
        return None
    before = Ready.objects.filter(queue=OuterRef("queue"), held=False, limit_key=None, rank__lt=OuterRef("rank"))
    place = Ready.objects.annotate(
        ahead=ArraySubquery(before.values("predicted_ms")[: AHEAD_BOUND + 1]), served=is_served(job)
    )
    ready = place.filter(pk=job.pk).first()
    if ready is None:
        return None
    ahead_ms: list[float] = ready.ahead
    pause = queue if queue and queue.paused_at else None
    halted = job.org.state != OrgState.ACTIVE
    share = share_of(job.org_id, job.queue)
    share.lead()
    return Waiting(
        ahead=min(len(ahead_ms), AHEAD_BOUND),
        more_ahead=len(ahead_ms) > AHEAD_BOUND,
        each_ms=sum(ahead_ms) / max(len(ahead_ms), 1),
        slots=profile_of(ready.queue).profile.slots,
        wait=None if pause or halted else waits(job.org, ready, sum(ahead_ms)),
        paused=pause,
        halted=halted,
        served=ready.served,
        limits=limits_of(job, ready),
        order=order_of(job, share),
    )


def limits_of(job: Job, ready: Ready) -> list[Limit]:
    """Those that are about it, the fullest first."""
    if ready.limit_key is None:
        return []
    about = (
        Q(scope=LimitScope.ORG) | Q(scope=LimitScope.QUEUE, name=job.queue) | Q(scope=LimitScope.TYPE, name=job.type)
    )
    if job.limit_key:
        about |= Q(scope=LimitScope.KEY, name__in=[job.limit_key, EVERY])
    found = list(Limit.objects.for_org(job.org).filter(about).order_by("scope", "name"))
    if any(one.scope == LimitScope.KEY and one.name == job.limit_key for one in found):
        # a key with a limit of its own is not under that of the others
        found = [one for one in found if one.scope != LimitScope.KEY or one.name != EVERY]
    return sorted(with_use(found, job.org), key=lambda one: not is_full(one)) if found else []


def is_full(limit: Limit) -> bool:
    """Whether it keeps the next one waiting now."""
    full = limit.max_running is not None and limit.running >= limit.max_running
    return full or (limit.tokens is not None and limit.tokens < 1)


def is_served(job: Job) -> Exists:
    """Whether a worker is online that takes jobs of this type of the organisation from this queue."""
    online = serving(job.org).filter(types__contains=[job.type])
    return Exists(online.filter(Q(queues__contains=[job.queue]) | Q(queues__contains=["*"])))
