"""The right to run: renewed by its worker, taken back by the watchdog when it ran out."""

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, transaction

from jobs.models import Job
from jobs.queue import sql
from jobs.queue.callbacks import follow_soon
from jobs.queue.limits import wake_limited
from jobs.queue.notify import wake

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a worker still holds, and which of it a person asked to stop."""

    held: frozenset[UUID]
    cancelled: frozenset[UUID]


def renew(*, worker_id: UUID, tokens: Sequence[UUID]) -> Renewed:
    """Extend the leases with these tokens. A token that is not held any more must stop at once."""
    rows = sql.run("renew", worker_id=worker_id, tokens=list(tokens), lease_seconds=settings.LEASE_SECONDS)
    return Renewed(
        held=frozenset(row.token for row in rows),
        cancelled=frozenset(row.token for row in rows if row.cancel_requested),
    )


def report(*, lines: list[dict[str, Any]], progress: list[dict[str, Any]]) -> None:
    """Store log lines and progress of running attempts; what lost its lease is dropped."""
    if not lines and not progress:
        return
    by_token = defaultdict(list)
    for line in lines:
        by_token[line["token"]].append(line)
    latest = {one["token"]: one for one in progress}
    sql.run("report", lines=json.dumps(by_token), progress=json.dumps(latest))


def give_back(*, worker_id: UUID, known: Sequence[UUID], worker_name: str) -> int:
    """Release the leases of this worker whose tokens it never received; returns how many. No try is burnt."""
    return told(sql.run("give_back", worker_id=worker_id, known=list(known), actor=f"worker:{worker_name}"))


def rescue(*, batch: int = 500) -> int:
    """Take back leases that ran out; returns how many. Jobs past their last attempt become dead letters."""
    rows = sql.run("rescue", batch=batch, actor="watchdog")
    count = told(rows)
    transaction.on_commit(lambda: say_lost(rows))
    return count


def say_lost(rows: list[sql.Row]) -> None:
    """A line of the log for each attempt that was taken back."""
    if not rows:
        return
    try:
        ids = dict(Job.objects.filter(pk__in=[row.job_id for row in rows]).values_list("pk", "correlation_id"))
    except Error:
        # they are taken back all the same, and are found by their jobs
        ids = {}
    for row in rows:
        said = {"job": str(row.job_id), "attempt": row.attempt, "became": row.to_status}
        log.warning("lease taken back", extra={"correlation_id": ids.get(row.job_id, ""), **said})


def told(rows: list[sql.Row]) -> int:
    """Let those know who wait for these ends; returns how many there were."""
    wake((row.queue, row.rank) for row in rows if row.to_status == "queued")
    if freeing := [row.job_id for row in rows if row.frees]:
        wake_limited(job_ids=freeing)
    if rows and rows[0].awaited:
        follow_soon()
    return len(rows)
