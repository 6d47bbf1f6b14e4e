"""Jobs that a running attempt submits: of its organisation, its person and its correlation id."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.errors import InvalidJob, KeyReused, LeaseLost, QueueError
from jobs.models import Job, Lease
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.claim import Claimed
from jobs.queue.enqueue import Origin, accept
from jobs.queue.new_job import NewJob, refusal

# What a task may say of a job; a person may say the same.
OPTIONS = {
    *("type", "payload", "name", "queue", "title", "description", "urgency", "category"),
    *("delay_seconds", "timeout_seconds", "max_attempts", "limit_key", "tags", "after", "after_end"),
}


def enqueue_for(claimed: Claimed, asked: Mapping[str, Any], key: str) -> UUID:
    """Submit a job, once for each key however often it is tried. Raises LeaseLost, and what enqueue() raises.

    In a transaction of the caller it is part of that; else it is committed, and only while the attempt has its lease.
    """
    if unknown := asked.keys() - OPTIONS:
        raise InvalidJob([(f"/{sorted(unknown)[0]}", f"Not known here; there are: {', '.join(sorted(OPTIONS))}.")])
    fields = {name: value for name, value in asked.items() if value is not None}
    for name in ("after", "after_end"):
        # one that the task has as a UUID is the same job in the next attempt, which may have it as text
        if name in fields:
            fields[name] = [str(word) for word in fields[name]]
    parent = Job.objects.only("created_by", "org").select_related("created_by", "org").get(pk=claimed.job_id)
    new = NewJob(**{**fields, "idempotency_key": key, "payload": dict(fields["payload"])})
    origin = Origin(parent.org, parent.created_by, claimed.correlation_id, actor=f"job:{claimed.job_id}")
    with under_lease(claimed):
        # it is code of this deployment that asks, which people's caps do not hold
        (outcome,) = accept([new], [refusal(new, parent.org)], origin)
    if isinstance(outcome, KeyReused):
        raise QueueError(
            f"{key!r:.100} has brought another job before. An attempt that does not repeat the calls of the one before "
            "gives each call a key of its own."
        )
    if isinstance(outcome, QueueError):
        raise outcome
    return outcome.job_id


@contextmanager
def under_lease(claimed: Claimed) -> Iterator[None]:
    """In a transaction in which the lease stays; within one of the caller's, whose end is fenced, it is only looked at:

    what is locked there would be locked for as long as the task takes.
    """
    if connection.in_atomic_block:
        if not Lease.objects.filter(token=claimed.token).exists():
            raise LeaseLost(claimed.job_id)
        yield
        return
    with brief():
        if not sql.run("share_lease", token=claimed.token):
            raise LeaseLost(claimed.job_id)
        yield
