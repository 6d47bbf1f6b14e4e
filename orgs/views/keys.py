"""The page of keys: one's own, and for an org_admin all of the organisation."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from orgs import keys
from orgs.errors import Conflict
from orgs.forms import KeyForm, RotationForm
from orgs.good_keys import weighed, worth
from orgs.models import ApiKey
from orgs.pages import org_page
from orgs.roles import ALLOWED, PERSONS_ONLY, Action, KeyRole, Role, lesser
from orgs.scope import Scope
from orgs.shown_once import keep, never_stored, take

PER_PAGE = 50
INVALID = 422
ABOUT = "a key"


@org_page(Action.OWN_KEYS, ("GET", "POST"))
def api_keys(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The list; POST makes one. Its token is on the page that this leads to, once."""
    if request.method != "POST":
        return keys_page(request, scope, KeyForm(roles=roles_for(scope)))
    form = KeyForm(request.POST, roles=roles_for(scope))
    if not form.is_valid():
        return keys_page(request, scope, form, status=INVALID)
    try:
        key, token = keys.create_key(**form.cleaned_data, scope=scope, request=request)
    except Conflict as error:
        form.add_error(None, str(error.detail))
        return keys_page(request, scope, form, status=error.status_code)
    keep(request, ABOUT, token=token, name=key.name)
    return redirect("api-keys")


@org_page(Action.OWN_KEYS, ("POST",))
def rotate(request: HttpRequest, scope: Scope, key_id: str) -> HttpResponse:
    form = RotationForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["overlap_hours"][0]))
        return redirect("api-keys")
    hours = form.cleaned_data["overlap_hours"]
    try:
        key, token = keys.rotate_key(key_id, scope=scope, overlap_hours=hours, request=request)
    except (Conflict, PermissionDenied) as error:
        messages.error(request, str(getattr(error, "detail", error)))
    else:
        keep(request, ABOUT, token=token, name=key.name, replaces=key_id)
    return redirect("api-keys")


@org_page(Action.OWN_KEYS, ("POST",))
def revoke(request: HttpRequest, scope: Scope, key_id: str) -> HttpResponse:
    keys.revoke_key(key_id, scope=scope, request=request)
    messages.success(request, _("The key is revoked: its next call is refused."))
    return redirect("api-keys")


def keys_page(request: HttpRequest, scope: Scope, form: KeyForm, *, status: int = 200) -> HttpResponse:
    rows = weighed(keys.visible(scope)).select_related("created_by").order_by("-pk")
    after = request.GET.get("after", "")
    if after.isdecimal() and after.isascii() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    found = list(rows[: PER_PAGE + 1])
    context: dict[str, Any] = {
        "keys": [{"key": key, "worth": worth(key), "state": state_of(key)} for key in found[:PER_PAGE]],
        "after": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        "form": form,
        "rotation": RotationForm(auto_id=False),
        "made": take(request, ABOUT),
        "scopes": [(role, scopes_of(role)) for role in roles_for(scope)],
        "all": scope.can(Action.MANAGE_KEYS),
        "base": settings.PUBLIC_URL,
    }
    return never_stored(render(request, "orgs/api_keys.html", context, status=status))


def state_of(key: ApiKey) -> str:
    """One word for what a key read by weighed() is."""
    read: Any = key
    if key.revoked_at:
        return "revoked"
    if read.good:
        return "active"
    if key.created_by is None or not key.created_by.is_active or read.maker_role is None:
        return "orphaned"
    return "expired"


def roles_for(scope: Scope) -> list[str]:
    """What keys a member may make: no more than he may himself."""
    own = [role.value for role in Role if lesser(role, scope.role) == role]
    return [*own, KeyRole.WORKER.value] if scope.can(Action.MANAGE_KEYS) else own


def scopes_of(role: str) -> list[str]:
    """What a key with this role may be used for."""
    if role == KeyRole.WORKER:
        return [_("take external jobs and say how they ended")]
    return sorted(action.value.replace("_", " ") for action in ALLOWED[Role(role)] - PERSONS_ONLY)
