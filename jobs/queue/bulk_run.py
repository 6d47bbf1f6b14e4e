"""Doing bulk operations: the leader's chore, a batch of one of them at each call.

What a batch did to the jobs, what became of each and how far the operation has come are committed together, fenced by
the term: whoever leads next goes on where the last batch ended, and no job is acted on twice or passed over.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Now
from django.http import Http404

from jobs.ids import first_uuid7
from jobs.listing import narrowed
from jobs.models import BulkOperation, BulkOutcome, BulkState, Job
from jobs.models.bulk import OPEN, BulkOutcomeWord
from jobs.queue.bulk import let_go, now_of
from jobs.queue.bulk_filter import from_json
from jobs.queue.bulk_kinds import KINDS, Doing, Kind, Told
from jobs.search.filters import ID_SLACK
from orgs import audit
from orgs.good_keys import good_keys
from orgs.roles import OrgState
from orgs.scope import Scope, find_scope, key_scope

log = logging.getLogger(__name__)

OLDEST = UUID(int=0)
DONE, SKIPPED, FAILED = BulkOutcomeWord.DONE, BulkOutcomeWord.SKIPPED, BulkOutcomeWord.FAILED


class Ends(Exception):
    """The operation cannot go on; the message is for people."""


def run_bulk() -> bool:
    """Do a batch of the operation whose turn it is; whether there was one. Within the leader's transaction."""
    due = BulkOperation.objects.filter(state__in=OPEN, next_at__lte=Now()).order_by("next_at")
    operation = due.select_related("org", "created_by").select_for_update(of=("self",), skip_locked=True).first()
    if operation is None:
        return False
    now = now_of(operation.org)
    if operation.started_at is None:
        operation.started_at, operation.state = now, BulkState.RUNNING
    try:
        more = Batch(operation).do()
        if more:
            operation.next_at = paced(operation)
        else:
            end(operation, BulkState.DONE)
    except Ends as why:
        end(operation, BulkState.STOPPED, str(why))
    operation.save()
    return True


def paced(operation: BulkOperation) -> datetime:
    """When the next batch is due: those that go as fast as they can take turns."""
    now = now_of(operation.org)
    if operation.rate is None:
        return now
    # of what it had to have done by then; what it is late by is not made up for all at once
    due = (operation.started_at or now) + timedelta(seconds=operation.handled / operation.rate)
    return max(due, now)


def end(operation: BulkOperation, state: BulkState, why: str = "") -> None:
    operation.state, operation.ended_at, operation.ended_because = state, now_of(operation.org), why[:200]
    operation.next_at = operation.ended_at
    let_go(operation.pk)
    counts = {"done": operation.done, "skipped": operation.skipped, "failed": operation.failed}
    audit.record(
        "bulk.end",
        org=operation.org,
        actor=operation.created_by,
        target=operation.pk,
        kind=operation.kind,
        new={"state": state, **counts},
        reason=why,
    )
    log.info("a bulk operation ended", extra={"operation": operation.pk, "state": str(state), **counts})


def scope_of(operation: BulkOperation, kind: Kind) -> Scope:
    """Who asked for it, with what he may by now. Raises Ends where that is too little."""
    if operation.org.state != OrgState.ACTIVE:
        raise Ends(f"The organisation is {operation.org.state}.")
    try:
        if operation.key_prefix:
            key = good_keys().select_related("org", "created_by").filter(
                prefix=operation.key_prefix, org=operation.org
            ).first()  # fmt: skip
            if key is None:
                raise Ends("The key that it was asked for with is not good any more.")
            scope = key_scope(key)
        elif operation.created_by is None or not operation.created_by.is_active:
            raise Ends("Whoever asked for it has no account any more.")
        else:
            scope = find_scope(operation.created_by, operation.org.slug)
        scope.require(kind.action)
    except (Http404, PermissionDenied) as error:
        raise Ends("Whoever asked for it may not do this any more.") from error
    return scope


class Batch:
    """The next jobs of an operation, whose row is locked."""

    def __init__(self, operation: BulkOperation) -> None:
        self.operation = operation
        self.kind = KINDS[operation.kind]
        self.size = min(self.kind.most, settings.BULK_OPERATION_BATCH)
        if operation.rate is not None:
            # of a second
            self.size = max(1, min(self.size, int(operation.rate)))

    def do(self) -> bool:
        """Act on them and write down what came of it; whether there may be more. Raises Ends."""
        operation = self.operation
        scope = scope_of(operation, self.kind)
        ids, more = self.listed() if operation.job_ids is not None else self.found()
        if ids:
            doing = Doing(scope, operation.parameters, operation.reason, str(operation.pk))
            told, broken = self.acted(ids, doing)
            self.write_down(ids, told, broken)
        return more

    def listed(self) -> tuple[list[UUID], bool]:
        """Of a list of jobs."""
        operation = self.operation
        given = operation.job_ids or []
        ids = given[operation.position : operation.position + self.size]
        operation.position += len(ids)
        return ids, operation.position < len(given)

    def found(self) -> tuple[list[UUID], bool]:
        """Of a filter: in the order of their ids, from no more jobs than a window holds, however few match."""
        operation = self.operation
        try:
            filters = from_json(operation.filter)
        except ValueError as error:
            raise Ends(str(error)) from error
        after = operation.after or OLDEST
        jobs = Job.objects.for_org(operation.org).filter(pk__gt=after)
        # created_at is the database's clock, an id has the application's
        jobs = jobs.filter(pk__lt=first_uuid7(operation.until + ID_SLACK))
        window = settings.BULK_OPERATION_WINDOW
        # null at the end of the sweep
        edge = jobs.order_by("pk").values_list("pk", flat=True)[window - 1 : window].first()
        if edge is not None:
            jobs = jobs.filter(pk__lte=edge)
        matching = narrowed(jobs.filter(created_at__lte=operation.until), filters)
        matching = self.kind.about(matching, operation.until, operation.parameters)
        ids = list(matching.order_by("pk").values_list("pk", flat=True)[: self.size])
        is_full = len(ids) == self.size
        operation.after = ids[-1] if is_full else edge or operation.after
        return ids, is_full or edge is not None

    def acted(self, ids: Sequence[UUID], doing: Doing) -> tuple[Told, dict[UUID, str]]:
        """What the verb says; where it breaks, job by job, so that one does not keep the others from it."""
        try:
            with transaction.atomic():
                return self.kind.act(ids, doing), doing.refused
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("a batch failed, and is done job by job", extra={"operation": doing.operation})
        told: Told = {}
        broken: dict[UUID, str] = {}
        doing.refused.clear()
        for job_id in ids:
            try:
                with transaction.atomic():
                    told |= self.kind.act([job_id], doing)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                broken[job_id] = f"{type(error).__name__}: see the scheduler's log"
        return told, broken | doing.refused

    def write_down(self, ids: Sequence[UUID], told: Told, broken: dict[UUID, str]) -> None:
        passed = [job_id for job_id in ids if job_id not in told and job_id not in broken]
        found = {
            DONE: told,
            FAILED: broken,
            SKIPPED: why_passed(passed, self.operation),
        }
        operation, rows = self.operation, []
        for word, jobs in found.items():
            before = getattr(operation, word)
            setattr(operation, word, before + len(jobs))
            kept = [job_id for job_id in ids if job_id in jobs][: max(BulkOutcome.KEPT - before, 0)]
            rows += [
                BulkOutcome(
                    org_id=operation.org_id, operation_id=operation.pk, job_id=job_id, outcome=word,
                    words=jobs[job_id][:120], at=Now(),
                )
                for job_id in kept
            ]  # fmt: skip
        BulkOutcome.objects.bulk_create(rows)


def why_passed(ids: Sequence[UUID], operation: BulkOperation) -> Told:
    """Jobs that were not as the act needs them."""
    jobs = Job.objects.for_org(operation.org).with_state().filter(pk__in=ids).defer("payload", "result")
    states = {job.pk: job.state for job in jobs}
    return {job_id: f"is {states[job_id]}" if job_id in states else "there is no such job" for job_id in ids}
