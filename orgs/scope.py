"""Tenancy in one file: which organisation a request acts in, and with what right.

Every view gets its rows through `Scope.org` (`Job.objects.for_org(scope.org)`), so what belongs to another
organisation does not exist for it: 404, never 403.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from orgs import audit, walls
from orgs.errors import OrgNotActive
from orgs.good_keys import good_keys, worth
from orgs.models import SLUG_PATTERN, ApiKey, Membership, Org, User
from orgs.roles import LEFT, PERSONS_ONLY, Action, Role, can, least

ORG_HEADER = "X-Org"


@dataclass(frozen=True, slots=True)
class Scope:
    """A person acting in an organisation, or a key of his. The role was read from the database in this request."""

    user: User
    org: Org
    role: str
    key: ApiKey | None = None

    @property
    def actor(self) -> str:
        """Who moves a job, in its history."""
        return f"key:{self.key.prefix}" if self.key else f"user:{self.user.get_username()}"

    @property
    def passes(self) -> bool:
        """A platform admin goes on looking after an organisation that is not active. A key of his does not."""
        return self.key is None and self.user.is_superuser

    def can(self, action: Action) -> bool:
        is_open = self.passes or action in LEFT[self.org.state]
        return is_open and can(self.role, action, by_key=self.key is not None)

    def require(self, action: Action) -> None:
        """Raise PermissionDenied, naming what is missing; OrgNotActive where no role would help."""
        if self.can(action):
            return
        if not self.passes and action not in LEFT[self.org.state]:
            raise OrgNotActive(self.org)
        if self.key and action in PERSONS_ONLY:
            raise PermissionDenied(
                _("No key allows %(action)s: that takes a person who is signed in.") % {"action": action}
            )
        mine = _("Your role in %(org)s is %(role)s; it does not allow %(action)s: that takes %(needed)s.")
        words = (
            _("This key's role in %(org)s is %(role)s; it does not allow %(action)s: that takes %(needed)s.")
            if self.key
            else mine
        )
        said = {"org": self.org.slug, "role": self.role, "action": action, "needed": least(action)}
        raise PermissionDenied(words % said)


class NoOrg(PermissionDenied):
    """The person belongs to no organisation yet."""


def scope_of(request: Any, action: Action | None = None, *, slug: str | None = None) -> Scope:
    """The scope of a Django or DRF request: `slug` of the path, X-Org if sent, else the active organisation.

    Raises Http404 for an organisation that is not his, NoOrg when he has none, PermissionDenied (which is
    recorded) when `action` is given and his role does not allow it.
    """
    plain: HttpRequest = getattr(request, "_request", request)
    scope: Scope | None = getattr(plain, "_scope", None)
    if scope is None or (slug and slug != scope.org.slug):
        # the first question of the request: nothing has been done yet since he was read
        wanted = slug or request.headers.get(ORG_HEADER)
        if key := key_behind(request):
            scope = key_scope(key, wanted)
        else:
            scope = find_scope(request.user, wanted, getattr(request.user, "memberships_read", None))
        plain._scope = scope  # type: ignore[attr-defined]
    walls.enter(scope.org.pk)
    if action is not None:
        if not scope.can(action):
            audit.denied(plain, action, org=scope.org, actor=scope.user)
        scope.require(action)
    return scope


def key_behind(request: Any) -> ApiKey | None:
    """The key that a request was sent with, if it was."""
    sent = getattr(request, "auth", None)
    return sent if isinstance(sent, ApiKey) else None


def key_scope(key: ApiKey, slug: str | None = None) -> Scope:
    """The scope of a key as weighed() read it. Raises Http404: no other organisation exists for it."""
    role = worth(key)
    if role is None or key.created_by is None or (slug and slug != key.org.slug):
        raise Http404
    return Scope(key.created_by, key.org, role, key)


@walls.across(walls.Across.CALLER)
def anew(scope: Scope) -> Scope:
    """The same with what is so by now. Raises Http404 when it has ended."""
    if scope.key is None:
        return find_scope(scope.user, scope.org.slug)
    key = good_keys().select_related("org", "created_by").filter(pk=scope.key.pk).first()
    if key is None:
        raise Http404
    return key_scope(key)


def person(request: Any) -> User:
    """Who is signed in, behind a gate or permission that lets nobody else through."""
    assert isinstance(request.user, User)
    return request.user


@walls.across(walls.Across.CALLER)
def find_scope(user: User, slug: str | None, known: Sequence[Membership] | None = None) -> Scope:
    """`known` are all his memberships, where they have just been read."""
    # What is no slug cannot be one of his, and may be nothing a query takes.
    if slug and not re.match(SLUG_PATTERN, slug):
        raise Http404
    if known is None:
        named = {"org__slug": slug} if slug else {}
        memberships = list(Membership.objects.select_related("org").filter(user=user, **named))
        if not slug:
            user.memberships_read = memberships
    else:
        memberships = [one for one in known if not slug or one.org.slug == slug]
    if slug and not memberships:
        return platform_scope(user, Org.objects.filter(slug=slug).first())
    # The active one, else the oldest: he may have been removed from the active one.
    active = sorted(memberships, key=lambda found: (found.org_id != user.active_org_id, found.pk))
    if active:
        return Scope(user, active[0].org, active[0].role)
    if user.is_superuser and (user.active_org or Org.objects.exists()):
        return platform_scope(user, user.active_org or Org.objects.order_by("pk").first())
    raise NoOrg(_("You belong to no organisation yet: create one or accept an invitation."))


@walls.across(walls.Across.CALLER)
def scope_in(request: HttpRequest, slug: str) -> Scope:
    """His in an organisation that he does not act in. Raises Http404."""
    user = person(request)
    return find_scope(user, slug, user.memberships_read)


def acting_org(user: User) -> Org | None:
    """Where calls act that name no organisation; None when he has none."""
    try:
        return find_scope(user, None).org
    except NoOrg:
        return None


def platform_scope(user: User, org: Org | None) -> Scope:
    """A platform admin acts in any organisation as its admin; for others it does not exist."""
    if org is None or not user.is_superuser:
        raise Http404
    return Scope(user, org, Role.ORG_ADMIN)


def template_context(request: HttpRequest) -> dict[str, Any]:
    """`scope` (or None) and `may` for every template, to show or explain what a person may do."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {"scope": None, "may": {}}
    try:
        scope = scope_of(request)
    except (NoOrg, Http404):
        return {"scope": None, "may": {}}
    return {"scope": scope, "may": {action.value: scope.can(action) for action in Action}}
