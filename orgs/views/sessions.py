"""Where a person is signed in, and the end of that: on the profile page, and over REST."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from orgs import accounts
from orgs.pages import signed_in_page
from orgs.scope import person


@signed_in_page(("POST",))
def end_all(request: HttpRequest) -> HttpResponse:
    """Everywhere but here."""
    user = person(request)
    accounts.end_everywhere(user, request=request)
    update_session_auth_hash(request, user)
    messages.success(request, _("Everywhere else you are signed out, and every token of the API has ended."))
    return redirect("profile")


@signed_in_page(("POST",))
def end_one(request: HttpRequest, sign_in_id: str) -> HttpResponse:
    if not accounts.end_sign_in(person(request), sign_in_id, request=request):
        raise Http404
    messages.success(request, _("The sign-in has ended, with all its tokens."))
    return redirect("profile")
