"""Keys of programs: made by a member for no more than he may himself, shown once, revoked."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Least, Now
from django.http import Http404, HttpRequest

from orgs import audit
from orgs.errors import Conflict, TooManyKeys
from orgs.good_keys import MARK, good_keys, hashed
from orgs.membership import locked
from orgs.models import ApiKey, Org
from orgs.roles import Action, KeyRole, lesser
from orgs.scope import Scope

# How long a key goes on beside the one that takes its place.
OVERLAP_HOURS = 24
MOST_OVERLAP_HOURS = 720


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
    check_role(role, scope, request)
    lasts = None if expires_in_days is None else timedelta(days=expires_in_days)
    with locked(scope, needed(role)) as org:
        key, token = stored(org, scope, name=name, role=role, lasts=lasts)
        detail = {"name": name, "role": key.role, "expires_at": key.expires_at and key.expires_at.isoformat()}
        audit.record("key.create", org=org, actor=scope.user, target=key.prefix, request=request, **detail)
    return anew(key), token


def rotate_key(
    prefix: str, *, scope: Scope, overlap_hours: int = OVERLAP_HOURS, request: HttpRequest | None = None
) -> tuple[ApiKey, str]:
    """A key like that one, which ends `overlap_hours` from now, and the new one's token, which nobody can read again.

    The new one is the caller's, and lasts as long as the old one was made for. Raises Http404 for one that is not his
    to end, Conflict for one that has ended, and as create_key().
    """
    with locked(scope, Action.OWN_KEYS) as org:
        old = visible(scope).filter(prefix=prefix).select_for_update(no_key=True).first()
        if old is None:
            raise Http404
        check_role(old.role, scope, request)
        later = Now() + timedelta(hours=overlap_hours)
        ends = Least(Coalesce("expires_at", later), later)
        good = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=Now()))
        if not ApiKey.objects.filter(good, pk=old.pk).update(expires_at=ends):
            raise Conflict("This key has ended already: make a new one.", "key_ended")
        lasts = old.expires_at - old.created_at if old.expires_at else None
        key, token = stored(org, scope, name=old.name, role=old.role, lasts=lasts)
        before = {"key": old.prefix, "expires_at": old.expires_at and old.expires_at.isoformat()}
        old.refresh_from_db()
        audit.record(
            "key.rotate",
            org=org,
            actor=scope.user,
            target=prefix,
            request=request,
            old=before,
            new={"key": key.prefix, "expires_at": key.expires_at and key.expires_at.isoformat()},
            ends_at=old.expires_at and old.expires_at.isoformat(),
        )
    return anew(key), token


def stored(org: Org, scope: Scope, *, name: str, role: str, lasts: timedelta | None) -> tuple[ApiKey, str]:
    """A new key and its token. Within locked(): two at once are counted one after the other."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    if good_keys().filter(org=org, created_by=scope.user).count() >= settings.KEYS_MAX:
        raise TooManyKeys(f"You have {settings.KEYS_MAX} keys here, which is the most: revoke one first.")
    key = ApiKey.objects.create(
        org=org,
        name=name,
        prefix=prefix,
        secret_sha256=hashed(secret),
        role=role,
        created_by=scope.user,
        expires_at=None if lasts is None else Now() + lasts,
    )
    key.refresh_from_db()
    return key, f"{MARK}{prefix}_{secret}"


def anew(key: ApiKey) -> ApiKey:
    """As it is shown."""
    return good_keys().select_related("created_by").get(pk=key.pk)


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
