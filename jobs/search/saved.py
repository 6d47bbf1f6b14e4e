"""Views of the list of jobs that are saved under a name, and how a member looks at the list. Acts are audited."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from jobs.errors import InvalidView, NameTaken, NoMember, ViewNotFound, ViewShared
from jobs.models import ListSettings, SavedView
from jobs.queue.brief import brief
from jobs.strict_json import UNSTORABLE
from orgs import audit
from orgs.models import Membership
from orgs.roles import Action
from orgs.scope import Scope

LONGEST_NAME, LONGEST_QUERY = 64, 2_000
MOST_VIEWS = 100
# Of an address they say where in the list somebody is, not which list it is.
NOT_KEPT = ("cursor", "view", "v")


def seen_by(scope: Scope) -> "QuerySet[SavedView]":
    """His own and those that all see."""
    own = Q(owner__user=scope.user, owner__org=scope.org)
    return SavedView.objects.filter(Q(owner=None) | own, org=scope.org)


def view_of(scope: Scope, view_id: int) -> SavedView:
    view = seen_by(scope).filter(pk=view_id).first() if view_id < 2**63 else None
    if view is None:
        raise ViewNotFound
    return view


def create(*, scope: Scope, request: HttpRequest | None, name: str, query: str, shared: bool) -> SavedView:
    """Raises InvalidView, NameTaken, ViewShared, NoMember."""
    check_name(name)
    view = SavedView(org=scope.org, name=name, query=kept(query), created_by=scope.user, created_at=Now())
    view.owner = None if shared else member(scope)
    with brief():
        if shared:
            may_share(scope)
        if seen_by(scope).count() >= MOST_VIEWS:
            raise InvalidView([("/name", _("There are %(most)d views already.") % {"most": MOST_VIEWS})])
        save(view)
        audit.record("view.create", org=scope.org, actor=scope.user, target=name, request=request, new=shown(view))
    view.refresh_from_db()
    return view


def change(view_id: int, *, scope: Scope, request: HttpRequest | None, **fields: Any) -> SavedView:
    """`name`, `query` or `shared`. Raises ViewNotFound, InvalidView, NameTaken, ViewShared, NoMember."""
    with brief():
        view = held(scope, view_id)
        old = shown(view)
        if "name" in fields:
            check_name(fields["name"])
            view.name = fields["name"]
        if "query" in fields:
            view.query = kept(fields["query"])
        if fields.get("shared", view.owner_id is None) != (view.owner_id is None):
            may_share(scope)
            view.owner = None if fields["shared"] else member(scope)
        if shown(view) != old:
            save(view)
            new = shown(view)
            audit.record(
                "view.change", org=scope.org, actor=scope.user, target=view.name, request=request, old=old, new=new
            )
    return view


def remove(view_id: int, *, scope: Scope, request: HttpRequest | None) -> None:
    """Raises ViewNotFound, ViewShared."""
    with brief():
        view = held(scope, view_id)
        audit.record("view.remove", org=scope.org, actor=scope.user, target=view.name, request=request, old=shown(view))
        view.delete()


def held(scope: Scope, view_id: int) -> SavedView:
    """To be changed. What all see is the organisation's: its admins change it."""
    view = SavedView.objects.select_for_update().filter(pk=view_of(scope, view_id).pk).first()
    if view is None:
        raise ViewNotFound
    if view.owner_id is None:
        may_share(scope)
    return view


def may_share(scope: Scope) -> None:
    if not scope.can(Action.MANAGE_ORG):
        raise ViewShared(
            _("What all see is shared and changed by org admins; your role is %(role)s.") % {"role": scope.role}
        )


def member(scope: Scope) -> Membership:
    """Whose a view is alone."""
    found = Membership.objects.filter(org=scope.org, user=scope.user).first()
    if found is None:
        raise NoMember
    return found


def save(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise NameTaken from error


def check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or UNSTORABLE.search(name):
        raise InvalidView([("/name", _("1 to %(most)d characters.") % {"most": LONGEST_NAME})])


def kept(query: str) -> str:
    """The filters and the order of an address. Raises InvalidView."""
    data = QueryDict(query, mutable=True)
    for name in NOT_KEPT:
        data.pop(name, None)
    for name in [name for name in data if not data[name]]:
        data.pop(name)
    text = data.urlencode()
    if len(text) > LONGEST_QUERY:
        raise InvalidView([("/query", _("At most %(most)d characters.") % {"most": LONGEST_QUERY})])
    return text


def shown(view: SavedView) -> dict[str, Any]:
    return {"name": view.name, "query": view.query, "shared": view.owner_id is None}


# --- How a member looks at the list ---------------------------------------------------------------------------------


def settings_of(scope: Scope) -> ListSettings:
    """Raises NoMember."""
    found, _created = ListSettings.objects.get_or_create(member=member(scope), defaults={"org": scope.org})
    return found


def look(*, scope: Scope, columns: list[str], compact: bool) -> None:
    settings = settings_of(scope)
    settings.columns, settings.compact = columns, compact
    settings.save(update_fields=["columns", "compact"])


def show_first(view_id: int, first: bool, *, scope: Scope, request: HttpRequest | None) -> None:
    """Whether the list begins with this view, for him. Raises ViewNotFound, NoMember."""
    view = view_of(scope, view_id)
    with brief():
        settings = settings_of(scope)
        if not first and settings.default_view_id != view.pk:
            return
        settings.default_view = view if first else None
        settings.save(update_fields=["default_view"])
        audit.record("view.first", org=scope.org, actor=scope.user, target=view.name, request=request, first=first)
