"""DRF's question to the permission table. A view says what each method asks for in `actions`."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orgs import audit, walls
from orgs.models import ApiKey
from orgs.roles import Action, KeyRole
from orgs.scope import scope_of


class MayAct(BasePermission):
    """Deny unless the view declares an action for the method and the caller's role allows it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        actions: dict[str, Action] = view.actions
        method = "GET" if request.method == "HEAD" else request.method
        if method not in actions:
            # 405 and OPTIONS come after this, from the view itself
            return True
        scope_of(request, actions[str(method)], slug=self.org_slug(view))
        return True

    def org_slug(self, view: Any) -> str | None:
        """The organisation the path names, if it does."""
        return None


class MayActInOrg(MayAct):
    """For paths that name the organisation: it counts there, whatever X-Org says."""

    def org_slug(self, view: Any) -> str | None:
        return str(view.kwargs["slug"])


class IsSignedIn(BasePermission):
    """For what is the person's own: profile, organisations, invitations."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.user.is_authenticated:
            walls.open_for(walls.Across.PERSONAL)
        return bool(request.user.is_authenticated)


class IsPlatformAdmin(BasePermission):
    """Superusers only."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        if not request.user.is_superuser:
            audit.denied(request._request, "platform", actor=request.user)
            return False
        walls.open_for(walls.Across.PLATFORM)
        return True


class HoldsWorkerKey(BasePermission):
    """The calls of workers that are not ours: no person makes them, whatever his role."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            walls.enter(request.auth.org_id)
            return request.auth.role == KeyRole.WORKER
        if request.user.is_authenticated:
            audit.denied(request._request, "work", actor=request.user)
        return False
