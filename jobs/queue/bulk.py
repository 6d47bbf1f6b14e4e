"""Asking for a bulk operation, and stopping or undoing it. Doing it is jobs.queue.bulk_run.

What the pages ask for on some jobs, and can be undone, is an operation too: one on a list of jobs that begins a little
later. Until then no worker takes them (keep_back.sql) and nobody is told: no webhook, dependent or batch has heard of
anything, so that to undo it is to end the operation before it has begun. docs/decisions/0023-bulk-and-undo.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import BulkNotFound, BulkOver, CountChanged, InvalidBulk
from jobs.listing import Filters, bounded, narrowed
from jobs.models import BulkOperation, BulkState, Job, JobQuerySet
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.bulk_filter import to_json
from jobs.queue.bulk_kinds import KINDS, Kind
from jobs.queue.move import closed_fault
from jobs.queue.notify import wake
from orgs import audit
from orgs.models import Org
from orgs.removed_names import BY
from orgs.scope import Scope

# Up to so many are counted before it is asked for.
COUNTED = 10_000
MOST_IDS = 1_000
# Jobs a second.
MOST_RATE = 1_000.0
LONGEST_UNDO = 60
MOST_OPEN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done, to which jobs. `ids` go before the filter."""

    kind: str
    filters: Filters = field(default_factory=Filters)
    ids: Sequence[UUID] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    rate: float | None = None
    # So long it can be undone before it begins.
    undo_seconds: float = 0
    # The filter as it was asked, to be shown.
    query: dict[str, Any] = field(default_factory=dict)
    # Jobs that came later are left alone; None: than now.
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs it is about, up to COUNTED."""

    jobs: int
    more: bool
    at: datetime


def kind_of(asked: Asked, scope: Scope) -> Kind:
    """Raises PermissionDenied, InvalidBulk."""
    kind = KINDS.get(asked.kind)
    if kind is None:
        raise InvalidBulk([("/kind", f"One of {', '.join(KINDS)}.")])
    scope.require(kind.action)
    return kind


def refuse_faults(asked: Asked, kind: Kind) -> None:
    """Raise InvalidBulk for what is asked wrongly."""
    faults = [
        (f"/parameters/{name}", "This kind does not know it.")
        for name in asked.parameters
        if name not in kind.parameters
    ]
    faults += [
        (f"/parameters/{name}", "This kind needs it.") for name in kind.parameters if not asked.parameters.get(name)
    ]
    if not faults and (fault := kind.fault(asked.parameters)):
        faults.append((f"/parameters/{fault[0]}", fault[1]))
    if asked.ids is not None and not 1 <= len(asked.ids) <= MOST_IDS:
        faults.append(("/ids", f"1 to {MOST_IDS} of them."))
    if asked.rate is not None and not 0 < asked.rate <= MOST_RATE:
        faults.append(("/rate", f"More than 0 jobs a second, and no more than {MOST_RATE:g}."))
    if asked.undo_seconds and not kind.undoable:
        faults.append(("/undo_seconds", "This kind cannot be undone."))
    if faults:
        raise InvalidBulk(faults)


def count(asked: Asked, scope: Scope) -> Count:
    """The dry run. Its parameters need not have been said yet. Raises TooSlow, PermissionDenied, InvalidBulk."""
    kind = kind_of(asked, scope)
    with bounded():
        moment = now_of(scope.org)
        until = min(asked.until, moment) if asked.until else moment
        found = len(chosen(asked, kind, scope.org, until).values_list("pk")[: COUNTED + 1])
    return Count(min(found, COUNTED), found > COUNTED, until)


def now_of(org: Org) -> datetime:
    found: datetime = Org.objects.annotate(now=Now()).values_list("now", flat=True).get(pk=org.pk)
    return found


def chosen(asked: Asked, kind: Kind, org: Org, until: datetime) -> JobQuerySet:
    jobs = Job.objects.for_org(org).filter(created_at__lte=until)
    jobs = narrowed(jobs, asked.filters) if asked.ids is None else jobs.filter(pk__in=asked.ids)
    return kind.about(jobs, until, asked.parameters)


def start(
    asked: Asked,
    *,
    scope: Scope,
    counted: Count | None,
    expected: int | None = None,
    request: HttpRequest | None = None,
) -> BulkOperation:
    """Store it for the leader. Raises PermissionDenied, InvalidBulk, and CountChanged where it is not about so many."""
    kind = kind_of(asked, scope)
    refuse_faults(asked, kind)
    if (queue := asked.parameters.get("queue")) and (closed := closed_fault(scope.org, queue)):
        raise InvalidBulk([("/parameters/queue", closed.detail)])
    if expected is not None and counted is not None and expected != counted.jobs:
        raise CountChanged(f"It is about {counted.jobs} jobs, not {expected}: look again, and decide anew.")
    ids = sorted(set(asked.ids)) if asked.ids is not None else None
    with brief():
        now = now_of(scope.org)
        refuse_many(scope.org)
        start_at = now + timedelta(seconds=min(max(asked.undo_seconds, 0), LONGEST_UNDO))
        made = BulkOperation.objects.create(
            org=scope.org,
            kind=asked.kind,
            query=asked.query,
            filter={} if ids is not None else to_json(asked.filters),
            job_ids=ids,
            parameters=asked.parameters,
            reason=asked.reason[:200],
            created_by=scope.user,
            key_prefix=scope.key.prefix if scope.key else "",
            matched=len(ids) if ids is not None else counted.jobs if counted else None,
            matched_more=bool(counted and counted.more and ids is None),
            until=counted.at if counted else now,
            rate=asked.rate,
            start_at=start_at,
            next_at=start_at,
            created_at=now,
        )
        if ids is not None and start_at > now:
            keep_back(made, ids, hides=kind.action == "delete")
        said = {"kind": made.kind, "reason": made.reason, "matched": made.matched, "parameters": made.parameters}
        which = {"jobs": [str(job_id) for job_id in ids]} if ids is not None else {"filter": asked.query}
        audit.record("bulk.start", org=scope.org, actor=scope.user, target=made.pk, request=request, **said, **which)
    return made


def refuse_many(org: Org) -> None:
    """No more than MOST_OPEN over a filter at once, so that the leader's time is shared among organisations."""
    open_ones = BulkOperation.objects.for_org(org).filter(
        state__in=(BulkState.PENDING, BulkState.RUNNING), job_ids=None
    )
    if open_ones[:MOST_OPEN].count() >= MOST_OPEN:
        raise InvalidBulk([("", f"{MOST_OPEN} bulk operations are under way: wait for one to end, or stop it.")])


def keep_back(operation: BulkOperation, ids: Sequence[UUID], *, hides: bool) -> None:
    """In two statements, so that the second sees what a promotion was doing that the first has waited for."""
    sql.run("hold_jobs", job_ids=ids, org_id=operation.org_id)
    sql.run("keep_back", job_ids=ids, org_id=operation.org_id, operation_id=operation.pk, hides=hides)


def let_go(operation_id: UUID) -> None:
    rows = sql.run("let_go", operation_id=operation_id)
    wake(((row.queue, row.rank) for row in rows), limited=any(row.limited for row in rows))


def stop(operation_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> BulkOperation:
    """Do no more of it. One that has not begun is undone: its jobs are as they were.

    The leader holds the row while it does a batch, so this waits for it, and then nothing more is done.
    Raises BulkNotFound, BulkOver, PermissionDenied.
    """
    with transaction.atomic():
        rows = BulkOperation.objects.for_org(scope.org).select_for_update()
        operation = rows.filter(pk=operation_id).first()
        if operation is None:
            raise BulkNotFound
        scope.require(KINDS[operation.kind].action)
        if not operation.is_open:
            raise BulkOver(f"The operation is {operation.state}.", status=operation.state)
        was = operation.state
        operation.state = BulkState.UNDONE if was == BulkState.PENDING else BulkState.STOPPED
        operation.ended_at, operation.ended_because = now_of(scope.org), f"{BY}{scope.actor}"[:200]
        operation.save(update_fields=["state", "ended_at", "ended_because"])
        let_go(operation.pk)
        audit.record(
            "bulk.undo" if was == BulkState.PENDING else "bulk.stop",
            org=scope.org,
            actor=scope.user,
            target=operation.pk,
            request=request,
            kind=operation.kind,
            old={"state": was},
            new={"state": operation.state, "done": operation.done},
            **({"jobs": [str(one) for one in operation.job_ids]} if operation.job_ids else {}),
        )
    return operation
