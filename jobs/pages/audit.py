"""The page of the audit trail, for those who may see it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from jobs.api.audit import file_of
from jobs.api.paging import key_page
from jobs.audit_list import FORMS, audit_of, shown
from jobs.listing import TooSlow, bounded
from jobs.pages.audit_filters import AuditForm
from jobs.pages.lists import TOO_SLOW, Paged, page_size
from orgs.models import AuditHead
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# Suggested, not all that there are.
ACTS = (
    "access.denied", "auth.login", "auth.login_failed", "job.cancel", "job.classify", "job.move", "job.replay",
    "job.run_now", "job.snooze", "job.submit", "job.tag", "job.untag", "job.urgency",
    "alert_rule.change", "alert_rule.create", "batch.cancel", "key.create", "key.revoke", "key.rotate",
    "limit.remove", "limit.set", "member.leave", "member.remove",
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
    context = {
        "listing": listing,
        "form": form,
        "acts": ACTS,
        "forms": list(FORMS),
        "sealed": AuditHead.objects.first(),
    }
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
            entries = [{**entry, **differences(entry["detail"])} for entry in shown(found)]
        except TooSlow:
            faults = [str(TOO_SLOW)]
        except ValidationError:
            faults = [_("This is no cursor of this list.")]
    else:
        faults = form.plain_faults() or [_("Mend the filter to see entries.")]
    return AuditPage(path, "audit", form, faults, entries, next_cursor)


def differences(detail: dict[str, Any]) -> dict[str, Any]:
    """What changed from what to what, by name, and what else was noted."""
    if "old" not in detail or "new" not in detail:
        return {"changes": [], "rest": detail}
    old, new = ({"": one} if not isinstance(one, dict) else one for one in (detail["old"] or {}, detail["new"] or {}))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    rest = {name: value for name, value in detail.items() if name not in ("old", "new")}
    return {"changes": [(name, word(old, name), word(new, name)) for name in names], "rest": rest}


def word(values: dict[str, Any], name: str) -> str:
    """A value in one line; nothing for what was not there."""
    value = values.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@org_page(Action.SEE_AUDIT)
def audit_export(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """What the list shows with this query, on all its pages, as a file."""
    form = AuditForm(request.GET, scope.org)
    kind = request.GET.get("form", "csv")
    if not form.is_valid() or kind not in FORMS:
        raise BadRequest(_("The filter is not valid."))
    return file_of(scope, form.filters(), kind, request)
