"""What an org_admin with the staff flag sees of people, keys and acts, in the admin of his organisation."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orgs import keys, membership
from orgs.admin_parts import OfOrg, Trail, each, scope_here
from orgs.admin_site import org_admin_site
from orgs.models import ApiKey, AuditEntry, Membership
from orgs.roles import Role


@admin.register(Membership, site=org_admin_site)
class MemberSection(OfOrg):
    list_display = ("user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("user__username",)
    fields = ("username", "role", "created_at")
    readonly_fields = ("username",)
    actions = ("make_viewer", "make_operator", "make_org_admin", "remove")

    @admin.display(description="user")
    def username(self, row: Membership) -> str:
        return row.user.get_username()

    @admin.action(description="Make viewer")
    def make_viewer(self, request: HttpRequest, rows: Any) -> None:
        self.change_role(request, rows, Role.VIEWER)

    @admin.action(description="Make operator")
    def make_operator(self, request: HttpRequest, rows: Any) -> None:
        self.change_role(request, rows, Role.OPERATOR)

    @admin.action(description="Make org admin")
    def make_org_admin(self, request: HttpRequest, rows: Any) -> None:
        self.change_role(request, rows, Role.ORG_ADMIN)

    @admin.action(description="Remove from the organisation")
    def remove(self, request: HttpRequest, rows: Any) -> None:
        end = partial(membership.remove, scope=scope_here(request), request=request)
        each(self, request, rows, lambda row: end(row.user.get_username()))

    def change_role(self, request: HttpRequest, rows: Any, role: Role) -> None:
        change = partial(membership.change_role, scope=scope_here(request), request=request)
        each(self, request, rows, lambda row: change(row.user.get_username(), role))


@admin.register(ApiKey, site=org_admin_site)
class KeySection(OfOrg):
    list_display = ("name", "prefix", "role", "created_by", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("role", "created_at", "revoked_at")
    list_select_related = ("created_by",)
    search_fields = ("name", "prefix")
    ordering = ("-pk",)
    fields = ("name", "prefix", "role", "maker", "created_at", "last_used_at", "expires_at", "revoked_at")
    readonly_fields = ("maker",)
    actions = ("revoke",)

    @admin.display(description="created by")
    def maker(self, key: ApiKey) -> str:
        return key.created_by.get_username() if key.created_by else "–"

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, rows: Any) -> None:
        each(self, request, rows, lambda key: keys.revoke_key(key.prefix, scope=scope_here(request), request=request))


@admin.register(AuditEntry, site=org_admin_site)
class TrailSection(Trail, OfOrg):
    fields = ("at", "actor_name", "key_prefix", "action", "target", "detail", "address", "correlation_id")
