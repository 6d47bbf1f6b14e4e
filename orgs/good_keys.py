"""Keys as they are asked for at each call: which are good at this moment, and what each is worth."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db.models import BooleanField, Case, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Now

from orgs import walls
from orgs.models import ApiKey, Membership
from orgs.roles import ALLOWED, Action, KeyRole, Role, lesser

MARK = "sq_live_"
# Longer is nobody's key, and not worth hashing.
TOKEN_MAX = 128
USE_NOTED = timedelta(minutes=1)
MAKES_WORKERS = [role.value for role, actions in ALLOWED.items() if Action.MANAGE_KEYS in actions]


def weighed(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """With `maker_role` and `good`.

    A key is worth no more than whoever made it: nothing without him, or while his account is closed or he is no
    member (a platform admin is org_admin everywhere); and a worker's key stands with the right to make one.
    """
    memberships = Membership.objects.filter(org=OuterRef("org"), user=OuterRef("created_by"))
    platform = Case(When(created_by__is_superuser=True, then=Value(Role.ORG_ADMIN.value)))
    good = (
        Q(revoked_at=None)
        & (Q(expires_at=None) | Q(expires_at__gt=Now()))
        & Q(created_by__is_active=True, maker_role__isnull=False)
        & (~Q(role=KeyRole.WORKER) | Q(maker_role__in=MAKES_WORKERS))
    )
    with_role = keys.annotate(maker_role=Coalesce(Subquery(memberships.values("role")[:1]), platform))
    return with_role.annotate(good=ExpressionWrapper(good, output_field=BooleanField()))


def good_keys() -> QuerySet[ApiKey]:
    """Those that open something at this moment, by the database's clock."""
    return weighed(ApiKey.objects.all()).filter(good=True)  # type: ignore[misc]


def worth(key: ApiKey) -> str | None:
    """The role that a key read by weighed() acts with: its own, but no more than its maker's; None for none."""
    read: Any = key
    if not read.good or read.maker_role is None:
        return None
    return key.role if key.role == KeyRole.WORKER else lesser(key.role, read.maker_role)


@walls.across(walls.Across.CALLER)
def key_of(token: str) -> ApiKey | None:
    """The key of a token, with its organisation and its maker, if it is good at this moment."""
    prefix, _, secret = token.removeprefix(MARK).partition("_")
    if len(token) > TOKEN_MAX or not prefix.isalnum() or not prefix.isascii():
        return None
    stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USE_NOTED)
    good = good_keys().filter(prefix=prefix).select_related("org", "created_by")
    key = good.annotate(stale=ExpressionWrapper(stale, output_field=BooleanField())).first()
    if key is None or not secrets.compare_digest(key.secret_sha256, hashed(secret)):
        return None
    if key.stale:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())
    return key


def hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def is_key(token: str) -> bool:
    """Whether this is a key by its looks, and no token of a login."""
    return token.startswith(MARK)
