"""Django's admin, for platform admins only and with the one sign-in of the pages."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from orgs import walls


class PlatformAdminSite(admin.AdminSite):
    site_header = site_title = "SmartQueue platform admin"
    index_title = "Platform"

    def has_permission(self, request: HttpRequest) -> bool:
        allowed = bool(request.user.is_active and request.user.is_superuser)
        if allowed:
            walls.open_for(walls.Across.PLATFORM)
        return allowed

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Where those without permission are sent: to sign-in, where it is recorded; members find nothing here."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise Http404
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
