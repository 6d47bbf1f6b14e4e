"""The page of the audit trail, for those who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ValidationError

from jobs.api.audit import file_of
from jobs.api.paging import key_page
from jobs.audit_list import FORMS, audit_of, shown
from jobs.listing import InvalidCursor, TooSlow, bounded
from jobs.pages.filters import AuditForm
from jobs.pages.lists import TOO_SLOW, Paged, page_size
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# Suggested, not all that there are.
ACTS = (
    "access.denied", "auth.login", "auth.login_failed", "job.cancel", "job.classify", "job.replay", "job.submit",
    "batch.cancel", "key.create", "key.revoke", "limit.remove", "limit.set", "member.leave", "member.remove",
    "member.role", "model.promote", "model.rollback", "queue.pause", "queue.policy", "queue.resume",
    "schedule.change", "schedule.create", "schedule.remove", "secret.change", "secret.create", "secret.remove",
)  # fmt: skip


@dataclass(frozen=True)
class AuditPage(Paged[AuditForm]):
    entries: Sequence[dict[str, Any]]
    next_cursor: str | None


@org_page(Action.SEE_AUDIT)
def audit_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Who did what, the latest first."""
    form = AuditForm(request.GET, scope.org)
    listing = listed(scope, form, request.path)
    context = {"listing": listing, "form": form, "acts": ACTS, "forms": list(FORMS)}
    response = page_or_fragment(request, "jobs/audit.html", "jobs/_audit.html", context)
    response["HX-Push-Url"] = listing.here
    return response


def listed(scope: Scope, form: AuditForm, path: str) -> AuditPage:
    """What is asked for; an empty list with what is wrong when that cannot be answered."""
    entries: list[dict[str, Any]] = []
    next_cursor, faults = None, []
    if form.is_valid():
        try:
            with bounded():
                rows, cursor = audit_of(scope, form.filters()), form.cleaned_data["cursor"]
                found, next_cursor = key_page(rows, "-at", "-id", limit=page_size(form), cursor=cursor)
            entries = [shown(entry) for entry in found]
        except TooSlow:
            faults = [TOO_SLOW]
        except ValidationError:
            faults = [str(InvalidCursor.__doc__)]
    else:
        faults = form.plain_faults() or ["Mend the filter to see entries."]
    return AuditPage(path, "audit", form, faults, entries, next_cursor)


@org_page(Action.SEE_AUDIT)
def audit_export(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """What the list shows with this query, on all its pages, as a file."""
    form = AuditForm(request.GET, scope.org)
    kind = request.GET.get("form", "csv")
    if not form.is_valid() or kind not in FORMS:
        raise BadRequest("The filter is not valid.")
    return file_of(scope, form.filters(), kind, request)
