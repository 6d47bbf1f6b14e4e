"""What people change about a job that waits: when it may start, in which queue it is, and how urgent it is.

Each is one guarded statement and one audit entry; the history of the job tells of it too.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from jobs.errors import IllegalMove, InvalidJob, JobNotFound
from jobs.models import Job
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.control import Check, moved_on
from jobs.queue.move import closed_fault, move_some
from jobs.queue.new_job import QUEUE_NAME
from jobs.queue.notify import wake
from jobs.queue.rerank import rerank
from jobs.queue.shares import spacing
from jobs.ranking import URGENCY_FACTOR
from jobs.states import Status
from orgs import audit
from orgs.roles import Action
from orgs.scope import Scope

REASON_CHARACTERS = 200
WAITING = (Status.QUEUED, Status.SCHEDULED)


def snooze(
    job_id: UUID,
    *,
    scope: Scope,
    until: datetime | None = None,
    seconds: float | None = None,
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> datetime:
    """Put a job off that waits, until a time or for so long; returns when it is due.

    Raises JobNotFound, InvalidJob, or IllegalMove for one that runs, has ended or waits for others.
    """
    scope.require(Action.CHANGE)
    with brief():
        held_job(job_id, scope, check)
        if found := snooze_faults(until, seconds):
            raise InvalidJob(found)
        rows = sql.run(
            "snooze",
            job_id=job_id,
            org_id=scope.org.pk,
            run_at=until,
            seconds=seconds,
            actor=scope.actor,
            reason=noted("snoozed", reason),
        )
        if not rows:
            raise refusal(job_id, scope)
        row = rows[0]
        old = {"status": row.was, "run_at": moment(row.was_due_at)}
        new = {"status": "scheduled", "run_at": moment(row.run_at)}
        record("job.snooze", job_id, scope, request, reason, old, new)
    return timezone.localtime(row.run_at)


def run_now(
    job_id: UUID,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> None:
    """Queue a scheduled job at once, a retry too. Raises JobNotFound, or IllegalMove for any other."""
    scope.require(Action.CHANGE)
    with brief():
        held_job(job_id, scope, check)
        note = noted("run now", reason)
        rows = sql.run("run_now", job_ids=[job_id], org_id=scope.org.pk, actor=scope.actor, reason=note, **spacing())
        if not rows:
            raise refusal(job_id, scope)
        row = rows[0]
        wake([(row.queue, row.rank)])
        old = {"status": "scheduled", "run_at": moment(row.was_due_at)}
        record("job.run_now", job_id, scope, request, reason, old, {"status": "queued"})


def change(
    job_id: UUID,
    *,
    scope: Scope,
    urgency: str = "",
    queue: str = "",
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> None:
    """Give a job that waits another urgency, another queue or both: both or neither."""
    scope.require(Action.CHANGE)
    with brief():
        held_job(job_id, scope, check)
        if queue:
            move(job_id, queue, scope=scope, request=request, reason=reason)
        if urgency:
            change_urgency(job_id, urgency, scope=scope, request=request, reason=reason)


def change_urgency(
    job_id: UUID,
    urgency: str,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> None:
    """Another place in the order, by another urgency. Nothing is changed, or said, of one that has it already.

    Raises JobNotFound, InvalidJob, or IllegalMove for a job that runs or has ended.
    """
    scope.require(Action.CHANGE)
    with brief():
        job = held_job(job_id, scope, check)
        if urgency not in URGENCY_FACTOR:
            raise InvalidJob([("/urgency", f"One of {', '.join(URGENCY_FACTOR)}.")])
        if job.urgency == urgency:
            return
        rerank(job, scope.org, urgency)
        sql.run("note", job_id=job_id, actor=scope.actor, reason=noted(f"urgency {job.urgency} to {urgency}", reason))
        record("job.urgency", job_id, scope, request, reason, {"urgency": job.urgency}, {"urgency": urgency})


def move(
    job_id: UUID,
    queue: str,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> None:
    """Into another queue, which is made if there is none. Nothing is changed, or said, of one that is there already.

    Raises JobNotFound, InvalidJob, QueueClosed, or IllegalMove for a job that runs or has ended.
    """
    scope.require(Action.CHANGE)
    if not QUEUE_NAME.fullmatch(queue):
        raise InvalidJob([("/queue", "1 to 40 lower-case letters, digits, dashes or underscores.")])
    with brief():
        job = held_job(job_id, scope, check)
        if job.queue == queue:
            return
        moved = move_some([job_id], queue, scope=scope, reason=reason)
        if not moved:
            raise closed_fault(scope.org, queue) or moved_on(job_id, scope)
        record("job.move", job_id, scope, request, reason, {"queue": moved[job_id]}, {"queue": queue})


def held_job(job_id: UUID, scope: Scope, check: Check | None) -> Job:
    """A job that waits, kept as it is for the transaction. Raises JobNotFound, IllegalMove, what `check` does."""
    sql.run("hold_job", job_id=job_id)
    job = Job.objects.for_org(scope.org).with_state().filter(pk=job_id).first()
    if job is None:
        raise JobNotFound
    if check is not None:
        check()
    if job.state not in WAITING:
        raise IllegalMove(f"The job is {job.state}.", status=job.state)
    return job


def refusal(job_id: UUID, scope: Scope) -> Exception:
    """Why it has no time that could be changed."""
    job = Job.objects.for_org(scope.org).filter(pk=job_id, waiting_on__gt=0).first()
    if job is None:
        return moved_on(job_id, scope)
    return IllegalMove(f"The job waits for {job.waiting_on} others, not for a time.", status=job.status)


def snooze_faults(until: datetime | None, seconds: float | None) -> list[tuple[str, str]]:
    limit = timedelta(days=settings.MAX_DELAY_DAYS)
    if (until is None) == (seconds is None):
        return [("/until", "Give until or seconds, one of the two.")]
    if until is not None and not timezone.now() < until <= timezone.now() + limit:
        return [("/until", f"A time to come, within {settings.MAX_DELAY_DAYS} days of now.")]
    if seconds is not None and not 0 < seconds <= limit.total_seconds():
        return [("/seconds", f"More than 0, at most {limit.total_seconds():g}.")]
    return []


def noted(act: str, reason: str) -> str:
    """As the history of the job has it."""
    return f"{act}: {reason}"[:REASON_CHARACTERS] if reason else act


def moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def record(
    action: str,
    job_id: UUID,
    scope: Scope,
    request: HttpRequest | None,
    reason: str,
    old: dict[str, Any],
    new: dict[str, Any],
) -> None:
    said = {"old": old, "new": new, "reason": reason[:REASON_CHARACTERS]}
    audit.record(action, org=scope.org, actor=scope.user, target=job_id, request=request, **said)
