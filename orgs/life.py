"""The life of an organisation: a platform admin suspends it and lets it go on, its org_admin asks for its end and takes
that back. Each is one guarded statement with its audit entry; asked for again it changes nothing.

What may still be done meanwhile is in roles.LEFT, and nothing of it is begun (jobs/queue/sql/halted.sql).
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from orgs import audit
from orgs.errors import ErasureBegun
from orgs.membership import locked
from orgs.models import Org, User
from orgs.roles import Action, OrgState
from orgs.scope import Scope

# As Org.state says it of a row.
IN_STATE = {
    OrgState.ACTIVE: Q(suspended_at=None, erase_at=None),
    OrgState.SUSPENDED: Q(suspended_at__isnull=False),
    OrgState.CLOSING: Q(suspended_at=None, erase_at__isnull=False),
}


def suspend(slug: str, *, reason: str, actor: User, request: HttpRequest | None = None) -> Org:
    """From now on; asked for again with other words these are the reason. Raises Http404."""
    with transaction.atomic():
        others = Org.objects.filter(slug=slug).exclude(suspended_at__isnull=False, suspension_reason=reason)
        changed = others.update(suspended_at=Coalesce("suspended_at", Now()), suspension_reason=reason)
        org = get_object_or_404(Org, slug=slug)
        if changed:
            audit.record("org.suspend", org=org, actor=actor, target=slug, request=request, reason=reason)
    return org


def resume(slug: str, *, actor: User, request: HttpRequest | None = None) -> Org:
    """It is what it was: active, or closing if its end has been asked for. Raises Http404."""
    with transaction.atomic():
        org = get_object_or_404(Org.objects.select_for_update(no_key=True), slug=slug)
        why = org.suspension_reason
        if Org.objects.filter(pk=org.pk, suspended_at__isnull=False).update(suspended_at=None, suspension_reason=""):
            audit.record("org.resume", org=org, actor=actor, target=slug, request=request, reason=why)
        org.refresh_from_db()
    return org


def close(*, scope: Scope, request: HttpRequest | None = None) -> Org:
    """It is closed now, and all of it is erased on its day, which asking again does not put off."""
    with locked(scope, Action.CLOSE_ORG) as org:
        day = Now() + timedelta(days=settings.ORG_GRACE_DAYS)
        changed = rows(org).filter(erase_at=None).update(erase_at=day, closed_at=Now())
        org.refresh_from_db()
        if changed and org.erase_at:
            said = {"erase_at": org.erase_at.isoformat()}
            audit.record("org.close", org=org, actor=scope.user, target=org.slug, request=request, **said)
    return org


def restore(*, scope: Scope, request: HttpRequest | None = None) -> Org:
    """Raises ErasureBegun once its day has come."""
    with locked(scope, Action.CLOSE_ORG) as org:
        was = org.erase_at
        changed = rows(org).filter(erase_at__gt=Now(), erasing_at=None).update(erase_at=None, closed_at=None)
        org.refresh_from_db()
        if org.erase_at is not None:
            raise ErasureBegun
        if changed and was:
            said = {"erase_at": was.isoformat()}
            audit.record("org.restore", org=org, actor=scope.user, target=org.slug, request=request, **said)
    return org


def found(words: str = "", state: str | None = None) -> QuerySet[Org]:
    """Organisations whose name or address has these words in it, in a state if one is given."""
    named = Org.objects.filter(Q(slug__icontains=words) | Q(name__icontains=words))
    return named.filter(IN_STATE[OrgState(state)]) if state else named


def rows(org: Org) -> QuerySet[Org]:
    return Org.objects.filter(pk=org.pk)
