"""Bulk operations as they go: the list, the page of one with what became of each job, and stopping."""

from typing import Any
from uuid import UUID
from zlib import crc32

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from jobs.api.paging import key_page
from jobs.errors import BulkNotFound, BulkOver
from jobs.models import BulkOperation, BulkOutcome, BulkState, Job
from jobs.pages.actions import back
from jobs.pages.bulk_words import STATES, title
from jobs.pages.live import unchanged
from jobs.queue.bulk import stop
from jobs.queue.bulk_kinds import KINDS
from orgs.pages import org_page, page_or_fragment
from orgs.removed_names import hide_by
from orgs.roles import Action
from orgs.scope import Scope

PAGE = 50
# So much later than it was due, it is said that nobody does it.
LATE_SECONDS = 5
WORDS = ("failed", "skipped", "done")


def of_org(scope: Scope) -> "QuerySet[BulkOperation]":
    return BulkOperation.objects.for_org(scope.org).select_related("created_by").defer("job_ids")


@org_page(Action.READ)
def bulk_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The latest first."""
    rows, next_cursor = paged(of_org(scope), "-id", request)
    operations = [shown(one) for one in rows]
    version = version_of([one["row"] for one in operations])
    if same := unchanged(request, version):
        return same
    context = {
        "operations": operations,
        "next_cursor": next_cursor,
        "cursor": request.GET.get("cursor", ""),
        "version": version,
        "live": any(one["row"].is_open for one in operations) or not request.GET.get("cursor"),
    }
    return page_or_fragment(request, "jobs/bulk_operations.html", "jobs/_bulk_operations.html", context)


@org_page(Action.READ)
def bulk_operation(request: HttpRequest, scope: Scope, operation_id: UUID) -> HttpResponse:
    """How far it has come, live, and what became of each job."""
    operation = of_org(scope).filter(pk=operation_id).first()
    if operation is None:
        raise Http404
    word = request.GET.get("outcome", "")
    word = word if word in WORDS else ""
    version = version_of([operation])
    if same := unchanged(request, version):
        return same
    told = BulkOutcome.objects.filter(operation_id=operation.pk, org_id=scope.org.pk)
    rows, next_cursor = paged(told.filter(outcome=word) if word else told, "-id", request)
    names = dict(Job.objects.for_org(scope.org).filter(pk__in=[row.job_id for row in rows]).values_list("pk", "name"))
    context = {
        **shown(operation),
        "version": version,
        "outcomes": [{"row": row, "name": names.get(row.job_id)} for row in rows],
        "word": word,
        "chips": [(name, getattr(operation, name)) for name in WORDS],
        "kept": BulkOutcome.KEPT,
        "next_cursor": next_cursor,
        "cursor": request.GET.get("cursor", ""),
        "may_stop": scope.can(KINDS[operation.kind].action) if operation.kind in KINDS else False,
    }
    return page_or_fragment(request, "jobs/bulk_operation.html", "jobs/_bulk_operation.html", context)


def shown(operation: BulkOperation) -> dict[str, Any]:
    """An operation as its templates see it."""
    late = (timezone.now() - operation.next_at).total_seconds() if operation.is_open else 0.0
    because = operation.ended_because
    return {
        "row": operation,
        "title": title(operation),
        "state": STATES[BulkState(operation.state)],
        "share": share(operation),
        "pending": operation.state == BulkState.PENDING,
        "nobody_leads": late > max(LATE_SECONDS, settings.LEADER_SILENT_SECONDS),
        "because": hide_by([because]).get(because, because),
        "query": {name: value for name, value in operation.query.items() if name != "of"},
    }


def share(operation: BulkOperation) -> float | None:
    """Of what it is about, how much was looked at; None where that is not known."""
    if operation.state == BulkState.DONE:
        return 1.0
    if not operation.matched or operation.matched_more:
        return None
    return min(operation.handled / operation.matched, 1.0)


def version_of(operations: list[BulkOperation]) -> str:
    facts = [(str(one.pk), one.state, one.handled, one.done) for one in operations]
    late = [shown(one)["nobody_leads"] for one in operations if one.is_open]
    return str(crc32(repr((facts, late)).encode()))


def paged(rows: "QuerySet[Any]", column: str, request: HttpRequest) -> tuple[list[Any], str | None]:
    """A page; the first, where the cursor is none of this list."""
    cursor = request.GET.get("cursor", "")
    try:
        return key_page(rows, column, limit=PAGE, cursor=cursor)
    except ValidationError:
        return key_page(rows, column, limit=PAGE, cursor="")


@org_page(Action.CANCEL, methods=("POST",))
def bulk_stop(request: HttpRequest, scope: Scope, operation_id: UUID) -> HttpResponse:
    """No more of it; nothing of it, if it has not begun."""
    try:
        ended = stop(operation_id, scope=scope, request=request)
    except BulkNotFound as error:
        raise Http404 from error
    except PermissionDenied:
        raise
    except BulkOver as error:
        text = _("Too late to undo: it is %(state)s.") if "undo" in request.POST else _("It is %(state)s already.")
        messages.warning(request, text % {"state": STATES[BulkState(error.context["status"])]})
    else:
        undone = ended.state == BulkState.UNDONE
        messages.success(request, _("Undone: all is as it was.") if undone else _("Stopped: no more is done."))
    return back(request, f"/bulk-operations/{operation_id}/")
