"""What platform admins may look at and mend in the database. Each change is in the audit trail too."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest

from orgs import audit
from orgs.models import AuditEntry, Invitation, Membership, Org, User
from orgs.scope import person

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    UserModelAdmin = DjangoUserAdmin[User]
else:
    ModelAdmin, UserModelAdmin = admin.ModelAdmin, DjangoUserAdmin

admin.site.unregister(Group)


class Audited(ModelAdmin):
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


class ReadOnly(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Org)
class OrgAdmin(Audited):
    list_display = ("slug", "name", "weight", "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)

    # Its jobs, attempts and logs would go with it, row by row, in one request.
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(Audited, UserModelAdmin):
    list_display = ("username", "email", "is_active", "is_superuser", "date_joined", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "email")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        ("Standing", {"fields": ("is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()

    # Close the account instead: what it did keeps its name.
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


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
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor_name", "action", "target", "address")
    search_fields = ("actor_name", "action", "target", "correlation_id")
    ordering = ("-pk",)
    show_full_result_count = False
