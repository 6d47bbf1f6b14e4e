"""Putting waiting jobs into another queue: they come in there as if they were queued now, and are counted, limited and
ranked as that queue's."""

import json
from collections.abc import Sequence
from uuid import UUID

from jobs import ranking
from jobs.errors import QueueClosed
from jobs.models import Job, Queue
from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.queue.shares import share_of, spacing
from orgs.models import Org
from orgs.scope import Scope


def move_some(job_ids: Sequence[UUID], queue: str, *, scope: Scope, reason: str = "") -> dict[UUID, str]:
    """Those of these that were moved, with the queue they came from. Whoever calls this audits it."""
    # as with a queue's first job
    Queue.objects.bulk_create([Queue(org=scope.org, name=queue)], ignore_conflicts=True)
    rows = sql.run(
        "move",
        job_ids=list(job_ids),
        org_id=scope.org.pk,
        queue=queue,
        stretches=json.dumps(stretches(job_ids, queue, scope)),
        actor=scope.actor,
        reason=f": {reason}" if reason else "",
        **spacing(),
    )
    wake(
        ((queue, row.rank) for row in rows if row.rank is not None),
        limited=any(row.limited for row in rows),
    )
    return {row.job_id: row.was for row in rows}


def closed_fault(org: Org, queue: str) -> QueueClosed | None:
    """What is to be said of a move into this queue, if it is closed."""
    if Queue.objects.for_org(org).filter(name=queue, closed_at__isnull=False).exists():
        return QueueClosed(f"The queue {queue} is closed: it takes no more jobs.")
    return None


def stretches(job_ids: Sequence[UUID], queue: str, scope: Scope) -> dict[str, float]:
    """By how much the lead of each is multiplied there."""
    share = share_of(scope.org.pk, queue)
    share.lead()
    jobs = Job.objects.for_org(scope.org).filter(pk__in=job_ids)
    return {
        str(job_id): ranking.stretch(share.policy, predicted_ms, urgency, share.tuning)
        for job_id, predicted_ms, urgency in jobs.values_list("pk", "predicted_ms", "urgency")
    }
