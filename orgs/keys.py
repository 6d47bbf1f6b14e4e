"""Keys of programs: made by a member for no more than he may himself, shown once, revoked."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest

from orgs import audit
from orgs.errors import TooManyKeys
from orgs.good_keys import MARK, good_keys, hashed
from orgs.membership import locked
from orgs.models import ApiKey
from orgs.roles import Action, KeyRole, lesser
from orgs.scope import Scope


def create_key(
    name: str,
    *,
    scope: Scope,
    role: str = KeyRole.WORKER,
    expires_in_days: int | None = None,
    request: HttpRequest | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its token, which nobody can read again.

    Raises PermissionDenied for a role with a right that its maker has not, and TooManyKeys.
    """
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    check_role(role, scope, request)
    with locked(scope, needed(role)) as org:
        if good_keys().filter(org=org, created_by=scope.user).count() >= settings.KEYS_MAX:
            raise TooManyKeys(f"You have {settings.KEYS_MAX} keys here, which is the most: revoke one first.")
        key = ApiKey.objects.create(
            org=org,
            name=name,
            prefix=prefix,
            secret_sha256=hashed(secret),
            role=role,
            created_by=scope.user,
            expires_at=None if expires_in_days is None else Now() + timedelta(days=expires_in_days),
        )
        key.refresh_from_db()
        detail = {"name": name, "role": key.role, "expires_at": key.expires_at and key.expires_at.isoformat()}
        audit.record("key.create", org=org, actor=scope.user, target=prefix, request=request, **detail)
    return good_keys().select_related("created_by").get(pk=key.pk), f"{MARK}{prefix}_{secret}"


def needed(role: str) -> Action:
    """What making a key of this role takes."""
    return Action.MANAGE_KEYS if role == KeyRole.WORKER else Action.OWN_KEYS


def check_role(role: str, scope: Scope, request: HttpRequest | None) -> None:
    """Should he lose his own role meanwhile, the key is worth no more than what is left of it."""
    if scope.can(needed(role)) and (role == KeyRole.WORKER or lesser(role, scope.role) == role):
        return
    if request:
        audit.denied(request, needed(role), org=scope.org, actor=scope.user)
    raise PermissionDenied(f"Your role in {scope.org.slug} is {scope.role}; you cannot make a key that is {role}.")


def revoke_key(prefix: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """From the next call on the key opens nothing. Again is no error. Raises Http404 for one that is not his to end."""
    with locked(scope, Action.OWN_KEYS) as org:
        keys = visible(scope).filter(prefix=prefix)
        if keys.filter(revoked_at=None).update(revoked_at=Now()):
            audit.record("key.revoke", org=org, actor=scope.user, target=prefix, request=request)
        elif not keys.exists():
            raise Http404


def visible(scope: Scope) -> QuerySet[ApiKey]:
    """The keys that a member sees and may revoke: his own, and as org_admin all of the organisation."""
    keys = ApiKey.objects.filter(org=scope.org)
    return keys if scope.can(Action.MANAGE_KEYS) else keys.filter(created_by=scope.user).exclude(role=KeyRole.WORKER)
