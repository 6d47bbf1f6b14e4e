"""Why a job has not started yet, and when it will."""

from dataclasses import dataclass

from django.db.models import Q

from jobs.models import Job, Queue, Ready, serving
from jobs.queue.backlog import Wait
from jobs.queue.forecast import waits
from jobs.queue.shares import share_of
from jobs.states import Status
from orgs.models import Org

AHEAD_BOUND = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued job's place. `ahead` stops at AHEAD_BOUND; None in `wait`: nothing will start it."""

    ahead: int
    more_ahead: bool
    wait: Wait | None
    paused: Queue | None
    served: bool
    policy: str
    # How far the queue is behind and its organisation ahead of its share, in seconds, and by how much the latter was
    # multiplied.
    behind: float
    lead: float
    stretch: float


def waiting(job: Job) -> Waiting | None:
    """None for a job that does not wait in a queue."""
    if job.state != Status.QUEUED:
        return None
    ready = Ready.objects.filter(pk=job.pk).first()
    if ready is None:
        return None
    before = Ready.objects.filter(queue=ready.queue, held=False, limit_key=None, rank__lt=ready.rank)
    ahead_ms = list(before.values_list("predicted_ms", flat=True)[: AHEAD_BOUND + 1])
    paused = Queue.objects.for_org(job.org).filter(name=job.queue, paused_at__isnull=False)
    halted = paused.select_related("paused_by").first()
    share = share_of(job.org_id, job.queue)
    share.lead()
    return Waiting(
        ahead=min(len(ahead_ms), AHEAD_BOUND),
        more_ahead=len(ahead_ms) > AHEAD_BOUND,
        wait=None if halted else waits(job.org, ready, sum(ahead_ms)),
        paused=halted,
        served=is_served(job.org, ready.queue, ready.type),
        policy=share.policy,
        behind=job.share_offset,
        lead=job.rank_offset / job.stretch,
        stretch=job.stretch,
    )


def is_served(org: Org, queue: str, type: str) -> bool:
    """Whether a worker is online that takes this type of the organisation from this queue."""
    online = serving(org).filter(types__contains=[type])
    return online.filter(Q(queues__contains=[queue]) | Q(queues__contains=["*"])).exists()
