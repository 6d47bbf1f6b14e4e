"""Another urgency for a job that has not started: it moves to the place that goes with it."""

import logging
from uuid import UUID

from jobs.models import Job
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.notify import wake
from jobs.queue.places import stretch_with
from jobs.queue.shares import share_of
from jobs.states import Status
from orgs import audit
from orgs.models import Org, User

log = logging.getLogger(__name__)


def set_urgency(job_id: UUID, org: Org, urgency: str, *, by: User | str) -> bool:
    """Whether it was changed. A job that runs, has ended or has that urgency already is left as it is.

    What a person (`by`) did is audited; a name stands for what decided else, and is logged.
    """
    job = Job.objects.for_org(org).filter(pk=job_id, status__in=[Status.QUEUED, Status.SCHEDULED]).first()
    if job is None or job.urgency == urgency:
        return False
    with brief():
        rows = rerank(job, org, urgency)
        if rows and isinstance(by, User):
            old, new = {"urgency": job.urgency}, {"urgency": urgency}
            audit.record("job.urgency", org=org, actor=by, target=job_id, old=old, new=new)
    log.info("urgency", extra={"job": job_id, "urgency": urgency, "by": str(by), "changed": bool(rows)})
    return bool(rows)


def rerank(job: Job, org: Org, urgency: str) -> list[sql.Row]:
    """Within a transaction: one row if it was moved, none where it is being claimed or has been moved meanwhile."""
    share = share_of(org.pk, job.queue)
    share.lead()
    stretch = stretch_with(job, share, urgency)
    rows = sql.run(
        "rerank",
        job_id=job.pk,
        org_id=org.pk,
        urgency=urgency,
        stretch=stretch,
        rank_offset=job.rank_offset / job.stretch * stretch,
        was=job.rank_offset,
    )
    # also where it has moved back: a claim may have passed over it meanwhile
    wake(((row.queue, row.rank) for row in rows if row.rank is not None), limited=any(row.limited for row in rows))
    return rows
