"""Scheduled to queued when due: retries, delays and run_at alike."""

from django.conf import settings

from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.queue.shares import spacing


def promote() -> int:
    """Queue up to PROMOTE_BATCH due jobs; returns how many. Call it inside the leader's transaction."""
    rows = sql.run("promote", batch=settings.PROMOTE_BATCH, actor="leader", reason="due", **spacing())
    wake(((row.queue, row.rank) for row in rows), many=True)
    return sum(row.jobs for row in rows)
