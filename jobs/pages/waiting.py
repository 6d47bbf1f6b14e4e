"""Why a job has not started yet, and when it will."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from jobs.models import Job, Queue, Ready, serving
from jobs.queue.forecast import waits_seconds
from jobs.ranking import rank_offset
from jobs.states import Status
from orgs.models import Org

AHEAD_BOUND = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued job's place. `ahead` stops at AHEAD_BOUND; None in `starts_in_seconds`: nothing will start it."""

    ahead: int
    more_ahead: bool
    starts_in_seconds: float | None
    paused: Queue | None
    served: bool
    # how far its predicted runtime alone and its urgency move it, in seconds; less is earlier
    by_runtime: float
    by_urgency: float


def waiting(job: Job) -> Waiting | None:
    """None for a job that does not wait in a queue."""
    if job.state != Status.QUEUED:
        return None
    ready = Ready.objects.filter(pk=job.pk).first()
    if ready is None:
        return None
    before = Ready.objects.filter(queue=ready.queue, held=False, limit_key=None, rank__lt=ready.rank)
    ahead = len(before.values_list("pk")[: AHEAD_BOUND + 1])
    paused = Queue.objects.for_org(job.org).filter(name=job.queue, paused_at__isnull=False)
    halted = paused.select_related("paused_by").first()
    plain = rank_offset(job.predicted_ms, "medium", settings.RANK_TAU_SECONDS)
    return Waiting(
        ahead=min(ahead, AHEAD_BOUND),
        more_ahead=ahead > AHEAD_BOUND,
        starts_in_seconds=None if halted else waits_seconds(job.org, ready.type, ready.queue, ready.rank),
        paused=halted,
        served=is_served(job.org, ready.queue, ready.type),
        by_runtime=plain,
        by_urgency=job.rank_offset - plain,
    )


def is_served(org: Org, queue: str, type: str) -> bool:
    """Whether a worker is online that takes this type of the organisation from this queue."""
    online = serving(org).filter(types__contains=[type])
    return online.filter(Q(queues__contains=[queue]) | Q(queues__contains=["*"])).exists()
