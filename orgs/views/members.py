"""The members page: who belongs here, and for org_admins who else should."""

import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from orgs import membership, rates
from orgs.errors import Conflict
from orgs.forms import InviteForm, RoleForm
from orgs.models import ROLE_CHOICES, USERNAME_PATTERN
from orgs.pages import org_page
from orgs.roles import Action, Role
from orgs.scope import Scope

PER_PAGE = 100
INVALID = 422


@org_page({"GET": Action.READ, "POST": Action.MANAGE_MEMBERS})
def members(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The list; POST invites. The link for an e-mail address is shown in the answer, this once."""
    if request.method != "POST":
        return members_page(request, scope, InviteForm())
    rates.inviting(request, scope.user)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return members_page(request, scope, form, status=INVALID)
    try:
        invitation, token = membership.invite(
            scope=scope,
            role=Role(form.cleaned_data["role"]),
            person=form.person,
            email=form.email,
            request=request,
        )
    except Conflict as error:
        form.add_error("who", str(error.detail))
        return members_page(request, scope, form, status=error.status_code)
    if token:
        link = request.build_absolute_uri(membership.link_path(invitation, token))
        return members_page(request, scope, InviteForm(), link=link, invited=form.email)
    messages.success(request, _("%(name)s is invited and sees it on the organisations page.") % {"name": form.person})
    return redirect("members")


@org_page(Action.MANAGE_MEMBERS, ("POST",))
def change_role(request: HttpRequest, scope: Scope, username: str) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["role"][0]))
        return redirect("members")
    try:
        changed = membership.change_role(username, Role(form.cleaned_data["role"]), scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        said = {"name": changed.user.get_username(), "role": changed.role.replace("_", " ")}
        messages.success(request, _("%(name)s is %(role)s now.") % said)
    return redirect("members")


@org_page(Action.MANAGE_MEMBERS, ("POST",))
def remove(request: HttpRequest, scope: Scope, username: str) -> HttpResponse:
    try:
        membership.remove(username, scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("%(name)s is no member any more.") % {"name": username})
    return redirect("members")


@org_page(Action.MANAGE_MEMBERS, ("POST",))
def withdraw(request: HttpRequest, scope: Scope, id: int) -> HttpResponse:
    try:
        membership.withdraw(id, scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("The invitation is withdrawn."))
    return redirect("members")


def members_page(
    request: HttpRequest, scope: Scope, form: InviteForm, *, status: int = 200, link: str = "", invited: str = ""
) -> HttpResponse:
    may_manage = scope.can(Action.MANAGE_MEMBERS)
    context: dict[str, Any] = {**member_rows(request, scope), "form": form, "link": link, "invited": invited}
    if may_manage:
        context["invitations"] = membership.pending(scope.org).select_related("user", "invited_by")[:PER_PAGE]
        context["roles"] = ROLE_CHOICES
    else:
        admins = scope.org.memberships.filter(role=Role.ORG_ADMIN).order_by("user__username")
        context["admins"] = admins.values_list("user__username", flat=True)[:5]
    response = render(request, "orgs/members.html", context, status=status)
    if link:
        response["Cache-Control"] = "no-store"
    return response


def member_rows(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    """A page of members by name, and where the next one begins."""
    rows = scope.org.memberships.select_related("user").order_by("user__username")
    after = request.GET.get("after", "")
    if re.match(USERNAME_PATTERN, after):
        rows = rows.filter(user__username__gt=after)
    found = list(rows[: PER_PAGE + 1])
    more = found[PER_PAGE - 1].user.get_username() if len(found) > PER_PAGE else ""
    return {"members": found[:PER_PAGE], "after": more}
