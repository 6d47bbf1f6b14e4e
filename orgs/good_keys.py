"""Keys as they are asked for at each call: which are good at this moment, and what each is worth."""

import secrets
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Case, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Now

from orgs import walls
from orgs.models import ApiKey, Membership, Org, User
from orgs.ready import made, rows
from orgs.roles import ALLOWED, Action, KeyRole, Role, lesser

MARK = "sq_live_"
# Longer is nobody's key, and not worth hashing.
TOKEN_MAX = 128
USE_NOTED = timedelta(minutes=1)
STALE = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USE_NOTED)
# Of no key: they are letters and digits.
PREFIX = "<prefix>"
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


def key_of(token: str) -> ApiKey | None:
    """The key of a token, with its organisation and its maker, if it is good at this moment."""
    prefix, _, secret = token.removeprefix(MARK).partition("_")
    if len(token) > TOKEN_MAX or not prefix.isalnum() or not prefix.isascii():
        return None
    key = read(prefix)
    if key is None or not secrets.compare_digest(key.secret_sha256, hashed(secret)):
        return None
    if key.stale:  # type: ignore[attr-defined]
        with walls.across(walls.Across.CALLER):
            ApiKey.objects.filter(STALE, pk=key.pk).update(last_used_at=Now())
    return key


def read(prefix: str) -> ApiKey | None:
    """The one of good_keys() with that prefix, with `maker_role`, `good` and `stale`."""
    text, params, columns = statement()
    found = rows(text, [prefix if param == PREFIX else param for param in params])
    if not found:
        return None
    [row] = found
    own, org, maker = (
        made(model, [row[index] for index in places])
        for model, places in zip((ApiKey, Org, User), columns.models, strict=True)
    )
    own.org, own.created_by = org, maker
    for name, index in columns.marks.items():
        setattr(own, name, row[index])
    key: ApiKey = own
    return key


class Columns(NamedTuple):
    """Where in a row they are: the fields of ApiKey, Org and User, and what is worked out."""

    models: tuple[list[int], list[int], list[int]]
    marks: dict[str, int]


@cache
def statement() -> tuple[str, tuple[Any, ...], Columns]:
    """Its text, what it is asked with, where PREFIX stands for the prefix, and the columns of a row.

    Django takes longer to put it together than PostgreSQL to answer it.
    """
    keys = good_keys().filter(prefix=PREFIX).select_related("org", "created_by")
    keys = keys.annotate(stale=ExpressionWrapper(STALE, output_field=BooleanField()))
    compiler = keys.query.get_compiler(connection=connection)
    text, params = compiler.as_sql()
    info: Any = compiler.klass_info
    related = {each["field"].name: each["select_fields"] for each in info["related_klass_infos"]}
    places = info["select_fields"], related["org"], related["created_by"]
    return text, params, Columns(places, dict(compiler.annotation_col_map or {}))


def hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def is_key(token: str) -> bool:
    """Whether this is a key by its looks, and no token of a login."""
    return token.startswith(MARK)
