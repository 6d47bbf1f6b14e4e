"""What platform admins may look at and mend in the database. Each change is in the audit trail too."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest

from orgs import admin_scoped, audit, life
from orgs.admin_parts import Narrow, ReadOnly, ReasonForm, Trail, each, reason_of, scope_in
from orgs.errors import LastPlatformAdmin
from orgs.keys import revoke_key
from orgs.life import IN_STATE
from orgs.models import ApiKey, AuditEntry, Invitation, Membership, Org, User
from orgs.removal import held_person, keep_a_platform_admin, resume, suspend
from orgs.roles import OrgState
from orgs.scope import person

if TYPE_CHECKING:
    UserModelAdmin = DjangoUserAdmin[User]
else:
    UserModelAdmin = DjangoUserAdmin

admin.site.unregister(Group)


class Audited(Narrow):
    """Django runs these in the transaction of the change."""

    def save_model(self, request: HttpRequest, obj: models.Model, form: "ModelForm[Any]", change: bool) -> None:
        # Read before saving; a password is hidden even as a hash.
        changes = {name: str(form.cleaned_data.get(name)) for name in form.changed_data if "password" not in name}
        old = {name: str(form.initial.get(name)) for name in changes} if change else {}
        super().save_model(request, obj, form, change)
        self.record("change" if change else "add", request, obj, old=old, new=changes)

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        self.record("delete", request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for obj in queryset:
            self.record("delete", request, obj)
        super().delete_queryset(request, queryset)

    def record(self, verb: str, request: HttpRequest, obj: models.Model, **changes: dict[str, str]) -> None:
        org = obj if isinstance(obj, Org) else getattr(obj, "org", None)
        target = f"{obj._meta.model_name} {obj}"
        audit.record(f"admin.{verb}", org=org, actor=person(request), target=target, request=request, **changes)


class StateFilter(admin.SimpleListFilter):
    """Where organisations are in their lives."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value) for state in OrgState]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        asked = self.value()
        return queryset.filter(IN_STATE[OrgState(asked)]) if asked in set(OrgState) else queryset


@admin.register(Org)
class OrgAdmin(Audited):
    list_display = ("slug", "name", "shown_state", "weight", "max_waiting_jobs", "max_schedules", "created_at")
    list_filter = (StateFilter, "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)
    actions = ("suspend", "resume")
    action_form = ReasonForm

    @admin.display(description="state")
    def shown_state(self, org: Org) -> str:
        return org.state.value

    @admin.action(description="Suspend: nothing of them starts")
    def suspend(self, request: HttpRequest, rows: Any) -> None:
        reason = reason_of(request)
        each(
            self,
            request,
            rows,
            lambda org: life.suspend(org.slug, reason=reason, actor=person(request), request=request),
        )

    @admin.action(description="Let them go on")
    def resume(self, request: HttpRequest, rows: Any) -> None:
        each(self, request, rows, lambda org: life.resume(org.slug, actor=person(request), request=request))

    # Its jobs, attempts and logs would go with it, row by row, in one request.
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def keeping_an_admin(form: Any) -> Any:
    """A form of people that refuses to close the last platform admin's account, or to take the right from him."""

    class Keeping(form):  # type: ignore[misc]
        def clean(self) -> Any:
            said = super().clean()
            if not (self.cleaned_data.get("is_active", True) and self.cleaned_data.get("is_superuser", True)):
                try:
                    # Django runs this in the transaction of the change
                    keep_a_platform_admin(held_person(self.instance))
                except LastPlatformAdmin as error:
                    raise ValidationError(str(error.detail)) from error
            return said

    return Keeping


@admin.register(User)
class UserAdmin(Audited, UserModelAdmin):
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    actions = ("suspend", "resume")
    action_form = ReasonForm
    search_fields = ("username", "email")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        (
            "Standing",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff: as org_admin of an organisation he may use its admin, at /admin/organisation/.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()

    # It is suspended or removed by a call of the API (removal.py), so that what it did stays somebody's.
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return getattr(obj, "removed_at", None) is None and super().has_change_permission(request, obj)

    @admin.action(description="Suspend: nothing of theirs opens anything")
    def suspend(self, request: HttpRequest, rows: Any) -> None:
        why = reason_of(request)
        each(self, request, rows, lambda one: suspend(one, actor=person(request), request=request, reason=why))

    @admin.action(description="Let them in again")
    def resume(self, request: HttpRequest, rows: Any) -> None:
        why = reason_of(request)
        each(self, request, rows, lambda one: resume(one, actor=person(request), request=request, reason=why))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return keeping_an_admin(form) if change else form


@admin.register(Membership)
class MembershipAdmin(Audited):
    list_display = ("org", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("org", "user")
    search_fields = ("org__slug", "user__username")
    autocomplete_fields = ("org", "user")
    ordering = ("-pk",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ("id", "org", "user", "email", "role", "state", "expires_at")
    list_filter = ("state", "role")
    list_select_related = ("org", "user")
    search_fields = ("org__slug", "user__username", "email")
    ordering = ("-pk",)


@admin.register(AuditEntry)
class AuditEntryAdmin(Trail, ReadOnly):
    list_display = ("at", "org", *Trail.list_display[1:])
    list_select_related = ("org",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display = (
        "org",
        "name",
        "prefix",
        "role",
        "created_by",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("role", "created_at", "revoked_at")
    list_select_related = ("org", "created_by")
    search_fields = ("org__slug", "name", "prefix", "created_by__username")
    ordering = ("-pk",)
    exclude = ("secret_sha256",)
    actions = ("revoke",)

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, rows: Any) -> None:
        each(
            self,
            request,
            rows.select_related("org"),
            lambda key: revoke_key(key.prefix, scope=scope_in(request, key.org), request=request),
        )


# The admin of one organisation is made with this one.
__all__ = ["Audited", "admin_scoped"]
