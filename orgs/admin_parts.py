"""What sections of both admins are made of: rows that are only read, and actions that go through our verbs."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _

from orgs.forms import REASON_MAX
from orgs.models import AuditEntry, Org
from orgs.removed_names import hide_in_entries, known
from orgs.roles import Role
from orgs.scope import Scope, person

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReasonForm(ActionForm):
    """Beside the choice of an action: why, which the audit trail keeps."""

    reason = forms.CharField(label=_("Why:"), required=False, max_length=REASON_MAX)


def fixed(name: str, values: Iterable[str]) -> type[admin.SimpleListFilter]:
    """A filter of these values: Django would read a table through for those that there are."""
    offered = [(str(value), str(value)) for value in values]

    class Fixed(admin.SimpleListFilter):
        title = parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return offered

        def queryset(self, request: HttpRequest, queryset: Any) -> Any:
            return queryset.filter(**{name: self.value()}) if self.value() else queryset

    return Fixed


class Narrow(ModelAdmin):
    """Rows are looked up only by what the section offers: Django takes any column, and tells by the number found."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        names = {one if isinstance(one, str) else getattr(one, "parameter_name", None) for one in self.list_filter}
        return lookup.split("__")[0] in names


class ReadOnly(Narrow):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class OfOrg(ReadOnly):
    """In the admin of one organisation: its rows, whatever is asked for. The database's wall stands behind this."""

    # Where a row says whose it is.
    org_field = "org"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(**{self.org_field: scope_here(request).org.pk})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.admin_site.has_permission(request)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What Django notes knows no organisations; the audit trail does."""
        raise Http404


class WithoutRemoved(ChangeList):
    """A page of the trail, as it may be shown."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = hide_in_entries(list(self.result_list))


class Trail(ModelAdmin):
    """The audit trail, with nothing that tells who a removed person was."""

    list_display: tuple[str, ...] = ("at", "actor_name", "action", "target", "address")
    search_fields = ("actor_name", "action", "target", "correlation_id")
    list_filter = ("at",)
    ordering = ("-pk",)
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WithoutRemoved

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AuditEntry | None:
        found = super().get_object(request, object_id, from_field)
        return hide_in_entries([found])[0] if found else None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A removed person's name is found by nobody."""
        if known(search_term.split()).words:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


def scope_here(request: HttpRequest) -> Scope:
    """Of the admin of one organisation: its gate has found it in this request."""
    scope: Scope = request._scope  # type: ignore[attr-defined]
    return scope


def scope_in(request: HttpRequest, org: Org) -> Scope:
    """In which an action on a row acts: a platform admin's is any organisation."""
    if person(request).is_superuser:
        return Scope(person(request), org, Role.ORG_ADMIN)
    return scope_here(request)


def reason_of(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:REASON_MAX]


def each(section: ModelAdmin, request: HttpRequest, rows: Iterable[Any], verb: Callable[[Any], Any]) -> None:
    """Do it to each that is chosen, and say of how many it is done and what was refused of the others."""
    done, refused = 0, []
    for row in rows:
        try:
            verb(row)
        except (PermissionDenied, Http404) as error:
            refused.append(f"{row}: {error or 'it is gone'}")
        except Exception as error:
            # of the queue's verbs and of the organisations': a sentence for people
            if not hasattr(error, "detail"):
                raise
            refused.append(f"{row}: {error.detail}")
        else:
            done += 1
    if done:
        section.message_user(request, f"Done: {done}.", messages.SUCCESS)
    for text in refused[:10]:
        section.message_user(request, text, messages.ERROR)
