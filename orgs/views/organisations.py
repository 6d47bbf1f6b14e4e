"""Pages of one's organisations and of the invitations one has."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from orgs import life, membership, rates
from orgs.errors import Conflict
from orgs.forms import OrgForm
from orgs.models import Invitation, Membership
from orgs.pages import open_page, org_page, signed_in_page
from orgs.roles import Action
from orgs.scope import Scope, find_scope, person
from orgs.views.accounts import wanted_next

INVALID = 422


@signed_in_page(("GET", "POST"))
def organisations(request: HttpRequest) -> HttpResponse:
    """Mine, the invitations to me, and a form for a new one."""
    user = person(request)
    form = OrgForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        org = membership.create_org(form.cleaned_data["name"], user=user, request=request)
        messages.success(request, _("%(org)s is created. You are its admin.") % {"org": org.name})
        return redirect("/")
    context = {
        "form": form,
        "memberships": Membership.objects.filter(user=user).select_related("org").order_by("org__name"),
        "invitations": membership.offers_to(user).order_by("pk"),
    }
    return render(request, "orgs/organisations.html", context, status=INVALID if request.method == "POST" else 200)


@signed_in_page(("POST",))
def switch(request: HttpRequest) -> HttpResponse:
    membership.switch(posted_slug(request), user=person(request), request=request)
    return redirect(wanted_next(request))


@signed_in_page(("POST",))
def leave(request: HttpRequest) -> HttpResponse:
    scope = find_scope(person(request), posted_slug(request))
    try:
        membership.leave(scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("You have left %(org)s.") % {"org": scope.org.name})
    return redirect("organisations")


@org_page(Action.MANAGE_ORG, ("POST",))
def rename(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = OrgForm(request.POST)
    if form.is_valid():
        membership.rename_org(form.cleaned_data["name"], scope=scope, request=request)
        messages.success(request, _("The organisation is renamed."))
    else:
        messages.error(request, _("It was not renamed. %(why)s") % {"why": form.errors["name"][0]})
    return redirect("/settings/")


@org_page(Action.CLOSE_ORG, ("POST",))
def close(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Whoever closes it types its address, so that it is not closed unawares."""
    if request.POST.get("confirm") != scope.org.slug:
        messages.error(
            request, _("It was not closed. To close it, type its address, %(address)s.") % {"address": scope.org.slug}
        )
        return redirect("/settings/")
    org = life.close(scope=scope, request=request)
    messages.success(request, _("%(org)s is closed.") % {"org": org.name})
    return redirect("members")


@org_page(Action.CLOSE_ORG, ("POST",))
def restore(request: HttpRequest, scope: Scope) -> HttpResponse:
    try:
        life.restore(scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("%(org)s is restored, with all that it had.") % {"org": scope.org.name})
    return redirect("members")


@open_page()
def invitation(request: HttpRequest, id: int) -> HttpResponse:
    """Where the link of an e-mail leads. Whoever holds it may see who invites him, signed in or not."""
    token = request.GET.get("token", "")
    found = membership.open_invitation(id, token)
    is_open = found.state == Invitation.PENDING and found.expires_at > timezone.now()
    context = {"invitation": found, "token": token, "open": is_open, "here": request.get_full_path()}
    return render(request, "orgs/invitation.html", context)


@signed_in_page(("POST",))
def accept(request: HttpRequest, id: int) -> HttpResponse:
    rates.inviting(request, person(request))
    try:
        joined = membership.accept(id, user=person(request), token=request.POST.get("token", ""), request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        said = {"role": joined.role.replace("_", " "), "org": joined.org.name}
        messages.success(request, _("You are %(role)s of %(org)s now.") % said)
    return redirect("organisations")


@signed_in_page(("POST",))
def decline(request: HttpRequest, id: int) -> HttpResponse:
    rates.inviting(request, person(request))
    try:
        membership.decline(id, user=person(request), token=request.POST.get("token", ""), request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("The invitation is declined."))
    return redirect("organisations")


def posted_slug(request: HttpRequest) -> str:
    """The organisation a form names; without one it would be whichever the person acts in."""
    slug = request.POST.get("org", "")
    if not slug:
        raise Http404
    return slug
