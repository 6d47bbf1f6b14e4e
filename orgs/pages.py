"""The gate of every page: the method, who is signed in, which organisation he acts in and with what right."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Concatenate
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from orgs import audit, walls
from orgs.roles import Action, Gate, Need
from orgs.scope import NoOrg, Scope, person, scope_in, scope_of

Page = Callable[..., HttpResponseBase]
ScopedPage = Callable[Concatenate[HttpRequest, Scope, ...], HttpResponseBase]
PersonalPage = Callable[Concatenate[HttpRequest, ...], HttpResponseBase]


def org_page(action: Action | dict[str, Action], methods: tuple[str, ...] = ("GET",)) -> Callable[[ScopedPage], Page]:
    """A page inside an organisation; the view gets `(request, scope, *args, **kwargs)`.

    `action` is of all methods, or of each its own. 405 for other methods, to sign-in for the anonymous, 403 without the
    right, and to the organisations page for a person who belongs to none.
    """
    needs = action if isinstance(action, dict) else dict.fromkeys(methods, action)

    def decorated(view: ScopedPage) -> Page:
        @declares(dict(needs))
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request, needs):
                return HttpResponseNotAllowed(needs)
            if not request.user.is_authenticated:
                return to_sign_in(request)
            try:
                scope = scope_of(request, needs["GET" if request.method == "HEAD" else str(request.method)])
            except NoOrg as error:
                messages.info(request, str(error))
                return to(request, reverse("organisations"))
            return elsewhere(request, scope) or view(request, scope, *args, **kwargs)

        return gate

    return decorated


def elsewhere(request: HttpRequest, scope: Scope) -> HttpResponse | None:
    """What a link answers that is about another organisation (`?org=`) than he acts in: a page that asks whether to go
    there, since what a link does may not decide what the next button is about. Raises Http404 where that is not his."""
    slug = request.GET.get("org", "")
    if request.method != "GET" or not slug or slug == scope.org.slug:
        return None
    there = scope_in(request, slug)
    query = request.GET.copy()
    del query["org"]
    context = {"there": there.org, "next": f"{request.path}?{query.urlencode()}" if query else request.path}
    return render(request, "orgs/elsewhere.html", context)


def signed_in_page(methods: tuple[str, ...] = ("GET",)) -> Callable[[PersonalPage], Page]:
    """A page that is the person's own, whatever organisation he is in, if any."""

    def decorated(view: PersonalPage) -> Page:
        @declares(dict.fromkeys(methods, Gate.PERSON))
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request, methods):
                return HttpResponseNotAllowed(methods)
            if not request.user.is_authenticated:
                return to_sign_in(request)
            walls.open_for(walls.Across.PERSONAL)
            return view(request, *args, **kwargs)

        return gate

    return decorated


def platform_page(methods: tuple[str, ...] = ("GET",)) -> Callable[[PersonalPage], Page]:
    """A page for platform admins, over all organisations. Others are refused, which is recorded."""

    def decorated(view: PersonalPage) -> Page:
        @declares(dict.fromkeys(methods, Gate.PLATFORM_ADMIN))
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request, methods):
                return HttpResponseNotAllowed(methods)
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if not request.user.is_superuser:
                audit.denied(request, Gate.PLATFORM_ADMIN, actor=person(request))
                raise PermissionDenied(_("This page is for platform admins."))
            walls.open_for(walls.Across.PLATFORM)
            return view(request, *args, **kwargs)

        return gate

    return decorated


def open_page(methods: tuple[str, ...] = ("GET",), gate: Gate = Gate.ANYBODY) -> Callable[[PersonalPage], Page]:
    """A page for anybody, or for whom the view itself lets in and `gate` names."""

    def decorated(view: PersonalPage) -> Page:
        @declares(dict.fromkeys(methods, gate))
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request, methods):
                return HttpResponseNotAllowed(methods)
            return view(request, *args, **kwargs)

        return checked

    return decorated


def declares(needs: dict[str, Need]) -> Callable[[Page], Page]:
    """Says of a view what each method asks for: see declared.py."""

    def marked(view: Page) -> Page:
        view.needs = needs  # type: ignore[attr-defined]
        return view

    return marked


def allowed(request: HttpRequest, methods: Collection[str]) -> bool:
    return request.method in methods or (request.method == "HEAD" and "GET" in methods)


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Back to where he was afterwards; not to an address that only takes POST, nor to a fragment."""
    htmx = HtmxDetails(request)
    if htmx:
        here = htmx.current_url_abs_path
    else:
        here = request.get_full_path() if request.method in {"GET", "HEAD"} else None
    url = f"{settings.LOGIN_URL}?{urlencode({'next': here})}" if here else settings.LOGIN_URL
    response = to(request, url)
    if htmx:
        response.status_code = 401
    return response


def to(request: HttpRequest, url: str) -> HttpResponse:
    """A redirect of the whole page: an HTMX request would put a plain one's target into its fragment."""
    return HttpResponseClientRedirect(url) if HtmxDetails(request) else redirect(url)


def page_or_fragment(request: HttpRequest, page: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or for an HTMX request only the fragment that the page includes."""
    htmx = HtmxDetails(request)
    whole = not htmx or htmx.boosted or htmx.history_restore_request
    response = render(request, page if whole else fragment, context)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted", "HX-History-Restore-Request"])
    if not whole:
        response["Cache-Control"] = "no-store"
    return response
