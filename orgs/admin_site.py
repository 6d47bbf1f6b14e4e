"""Django's admin, with the one sign-in of the pages: for platform admins over all organisations, and for org_admins
whom a platform admin has made staff, of the organisation that they act in and nothing else.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from orgs import walls
from orgs.roles import Action, Role
from orgs.scope import scope_of


class OwnSignIn(admin.AdminSite):
    """Those without permission are sent to sign-in, where it is recorded; who is signed in finds nothing here."""

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.user.is_authenticated and not self.has_permission(request):
            raise Http404
        return redirect_to_login(request.GET.get("next") or reverse(f"{self.name}:index"))


class PlatformAdminSite(OwnSignIn):
    site_header = site_title = "SmartQueue platform admin"
    index_title = "Platform"

    def has_permission(self, request: HttpRequest) -> bool:
        allowed = bool(request.user.is_active and request.user.is_superuser)
        if allowed:
            walls.open_for(walls.Across.PLATFORM)
        return allowed


class OrgAdminSite(OwnSignIn):
    """Behind the wall of one organisation, which is never opened here."""

    site_header = site_title = "SmartQueue organisation admin"
    index_title = "Organisation"
    # Django's own would change a password, or look up rows, past our verbs.
    LEFT_OUT = frozenset({"password_change", "password_change_done", "autocomplete", "view_on_site"})

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not (user.is_active and user.is_authenticated and user.is_staff):
            return False
        try:
            # enters the organisation
            scope = scope_of(request)
        except (PermissionDenied, Http404):
            return False
        return scope.role == Role.ORG_ADMIN and scope.can(Action.READ)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        found = super().each_context(request)
        if found["has_permission"]:
            found["site_header"] = f"{self.site_header}: {scope_of(request).org.name}"
        return found

    def get_urls(self) -> list[Any]:
        return [one for one in super().get_urls() if getattr(one, "name", None) not in self.LEFT_OUT]


org_admin_site = OrgAdminSite(name="org_admin")
