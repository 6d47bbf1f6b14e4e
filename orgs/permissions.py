"""DRF's question to the permission table. A view says what each method asks for in `actions`."""

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orgs import audit, walls
from orgs.errors import OrgNotActive
from orgs.models import ApiKey
from orgs.roles import LEFT, Action, Gate, KeyRole
from orgs.scope import key_behind, person, scope_of


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
    """For what is the person's own: profile, organisations, invitations. A key does not stand for its maker."""

    gate = Gate.PERSON

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        if key := key_behind(request):
            audit.denied(request._request, self.gate, actor=person(request), org=key.org)
            raise PermissionDenied("A key opens what is its organisation's: this takes a person who is signed in.")
        walls.open_for(walls.Across.PERSONAL)
        return True


class IsPlatformAdmin(IsSignedIn):
    """Superusers only."""

    gate = Gate.PLATFORM_ADMIN

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        if not request.user.is_superuser:
            audit.denied(request._request, self.gate, actor=person(request))
            return False
        walls.open_for(walls.Across.PLATFORM)
        return True


class HoldsWorkerKey(BasePermission):
    """The calls of workers that are not ours: no person makes them, whatever his role."""

    gate = Gate.WORKER

    def has_permission(self, request: Request, view: Any) -> bool:
        key = key_behind(request)
        if key:
            walls.enter(key.org_id)
            if key.role == KeyRole.WORKER:
                self.require_open(request, key)
                return True
        if request.user.is_authenticated:
            audit.denied(request._request, self.gate, actor=person(request), org=key.org if key else None)
        return False

    def require_open(self, request: Request, key: ApiKey) -> None:
        """Raise OrgNotActive where the state of the key's organisation does not leave this call."""
        if self.gate not in LEFT[key.org.state]:
            audit.denied(request._request, self.gate, actor=None, org=key.org)
            raise OrgNotActive(key.org)


class MayClaim(HoldsWorkerKey):
    """The call by which a worker begins something."""

    gate = Gate.WORKER_CLAIM
