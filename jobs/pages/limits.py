"""The limits of an organisation, how far each is used, and changing them while jobs run."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import FloatField, IntegerField
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from jobs.errors import InvalidLimit, LimitNotFound
from jobs.models import Limit, LimitScope
from jobs.pages.actions import back
from jobs.queue.limit_control import FIELDS, LARGEST, remove_limit, set_limit, with_use
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# Of a thousand that there may be: more are read in the API.
SHOWN = 200


@org_page(Action.READ)
def limit_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All limits with their use, and a form for another."""
    rows = list(Limit.objects.for_org(scope.org).order_by("scope", "name")[: SHOWN + 1])
    context = {
        "limits": with_use(rows[:SHOWN], scope.org),
        "more": len(rows) > SHOWN,
        "scopes": LimitScope.values,
        "largest": LARGEST,
    }
    return page_or_fragment(request, "jobs/limits.html", "jobs/_limits.html", context)


@org_page(Action.MANAGE_LIMITS, methods=("POST",))
def limit_set(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Set one as a whole, or remove it where every number is left empty."""
    of, name = request.POST.get("scope", ""), request.POST.get("name", "")
    try:
        values = numbers(request)
        if any(value is not None for value in values.values()):
            set_limit(of, name, scope=scope, request=request, **values)
            messages.success(request, _("The limit is set. It counts from the next start on."))
        else:
            remove_limit(of, name, scope=scope, request=request)
            messages.success(request, _("The limit is removed: what waited for it may start."))
    except InvalidLimit as error:
        for _pointer, sentence in error.errors:
            messages.error(request, _("Nothing was changed.") + " " + sentence)
    except LimitNotFound:
        messages.info(request, _("There is no such limit, so nothing was changed."))
    return back(request, "/limits/")


def numbers(request: HttpRequest) -> dict[str, Any]:
    """Raises InvalidLimit for what is no number."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        kind = FloatField if name == "rate_seconds" else IntegerField
        try:
            found[name] = kind(required=False).clean(request.POST.get(name, ""))
        except ValidationError as error:
            raise InvalidLimit([(f"/{name}", f"{name}: {error.messages[0]}")]) from error
    return found
