"""Keys of programs: made and revoked by an org_admin, shown once, asked for at each call."""

import secrets
from datetime import timedelta
from hashlib import sha256

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest

from orgs import audit, walls
from orgs.membership import locked
from orgs.models import ApiKey
from orgs.roles import Action, KeyRole
from orgs.scope import Scope

MARK = "sq_live_"
# Longer is nobody's key, and not worth hashing.
TOKEN_MAX = 128
USE_NOTED = timedelta(minutes=1)


def create_key(
    name: str, *, scope: Scope, expires_in_days: int | None = None, request: HttpRequest | None = None
) -> tuple[ApiKey, str]:
    """A new key of a worker, and its token, which nobody can read again."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    with locked(scope, Action.MANAGE_KEYS) as org:
        key = ApiKey.objects.create(
            org=org,
            name=name,
            prefix=prefix,
            secret_sha256=hashed(secret),
            role=KeyRole.WORKER,
            created_by=scope.user,
            expires_at=None if expires_in_days is None else Now() + timedelta(days=expires_in_days),
        )
        key.refresh_from_db()
        detail = {"name": name, "role": key.role, "expires_at": key.expires_at and key.expires_at.isoformat()}
        audit.record("key.create", org=org, actor=scope.user, target=prefix, request=request, **detail)
    return key, f"{MARK}{prefix}_{secret}"


def revoke_key(prefix: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """From the next call on the key opens nothing. Again is no error. Raises Http404 for another organisation's."""
    with locked(scope, Action.MANAGE_KEYS) as org:
        keys = ApiKey.objects.filter(org=org, prefix=prefix)
        if keys.filter(revoked_at=None).update(revoked_at=Now()):
            audit.record("key.revoke", org=org, actor=scope.user, target=prefix, request=request)
        elif not keys.exists():
            raise Http404


def hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def is_key(token: str) -> bool:
    """Whether this is a key by its looks, and no token of a login."""
    return token.startswith(MARK)


@walls.across(walls.Across.CALLER)
def key_of(token: str) -> ApiKey | None:
    """The key of a token, with its organisation, if it is good at this moment by the database's clock."""
    prefix, _, secret = token.removeprefix(MARK).partition("_")
    if len(token) > TOKEN_MAX or not prefix.isalnum() or not prefix.isascii():
        return None
    good = good_keys().filter(prefix=prefix)
    stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USE_NOTED)
    key = good.select_related("org").annotate(stale=ExpressionWrapper(stale, output_field=BooleanField())).first()
    if key is None or not secrets.compare_digest(key.secret_sha256, hashed(secret)):
        return None
    if key.stale:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())
    return key


def good_keys() -> QuerySet[ApiKey]:
    """Those that open something at this moment."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)
