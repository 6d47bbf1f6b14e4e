"""Another urgency for a job that has not started: it moves in the order."""

import json
import logging
from uuid import UUID

from django.conf import settings

from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.ranking import PRIORITY_SCALE_MS, URGENCY_FACTOR, rank_offset
from orgs.models import Org

log = logging.getLogger(__name__)


def set_urgency(job_id: UUID, org: Org, urgency: str, *, by: str) -> bool:
    """Whether it was changed: not where the job runs, has ended, or has that urgency. `by` says so, for the log."""
    offsets = {word: rank_offset(PRIORITY_SCALE_MS, word, settings.RANK_TAU_SECONDS) for word in URGENCY_FACTOR}
    shifts = {word: offsets[urgency] - offset for word, offset in offsets.items()}
    rows = sql.run("rerank", job_id=job_id, org_id=org.pk, urgency=urgency, shifts=json.dumps(shifts))
    wake((row.queue, row.rank) for row in rows if row.rank is not None and row.shift < 0)
    if rows:
        log.info("urgency changed", extra={"job": str(job_id), "urgency": urgency, "by": by})
    return bool(rows)
