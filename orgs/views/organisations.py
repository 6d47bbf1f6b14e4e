"""Pages of one's organisations and of the invitations one has."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from orgs import membership, rates
from orgs.errors import Conflict
from orgs.forms import OrgForm
from orgs.models import Invitation, Membership
from orgs.pages import open_page, org_page, signed_in_page
from orgs.roles import Action
from orgs.scope import Scope, find_scope, person

INVALID = 422


@signed_in_page(("GET", "POST"))
def organisations(request: HttpRequest) -> HttpResponse:
    """Mine, the invitations to me, and a form for a new one."""
    user = person(request)
    form = OrgForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        org = membership.create_org(form.cleaned_data["name"], user=user, request=request)
        messages.success(request, f"{org.name} is created. You are its admin.")
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
    return redirect("/")


@signed_in_page(("POST",))
def leave(request: HttpRequest) -> HttpResponse:
    scope = find_scope(person(request), posted_slug(request))
    try:
        membership.leave(scope=scope, request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, f"You have left {scope.org.name}.")
    return redirect("organisations")


@org_page(Action.MANAGE_ORG, ("POST",))
def rename(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = OrgForm(request.POST)
    if form.is_valid():
        membership.rename_org(form.cleaned_data["name"], scope=scope, request=request)
        messages.success(request, "The organisation is renamed.")
    else:
        messages.error(request, f"It was not renamed. {form.errors['name'][0]}")
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
        role = joined.role.replace("_", " ")
        messages.success(request, f"You are {role} of {joined.org.name} now.")
    return redirect("organisations")


@signed_in_page(("POST",))
def decline(request: HttpRequest, id: int) -> HttpResponse:
    rates.inviting(request, person(request))
    try:
        membership.decline(id, user=person(request), token=request.POST.get("token", ""), request=request)
    except Conflict as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, "The invitation is declined.")
    return redirect("organisations")


def posted_slug(request: HttpRequest) -> str:
    """The organisation a form names; without one it would be whichever the person acts in."""
    slug = request.POST.get("org", "")
    if not slug:
        raise Http404
    return slug
