"""Who calls the API and where he is a member: read anew for each request, by one statement that is planned once."""

from functools import cache
from typing import Any
from uuid import UUID

from django.db import models

from orgs.models import Membership, Org, SignIn, User
from orgs.ready import made, rows

TABLES: tuple[type[models.Model], ...] = (User, Membership, Org)


def caller(user_id: int, sign_in: UUID) -> User | None:
    """The person, if his account and that sign-in of his are open, with `memberships_read`: the oldest first."""
    found = read(user_id, sign_in)
    if not found:
        return None
    user: User = made(User, found[0][0])
    user.memberships_read = [joined(user, *parts) for _, *parts in found if parts[0][0] is not None]
    return user


def joined(user: User, of_membership: tuple[Any, ...], of_org: tuple[Any, ...]) -> Membership:
    membership: Membership = made(Membership, of_membership)
    membership.org, membership.user = made(Org, of_org), user
    return membership


def read(user_id: int, sign_in: UUID) -> list[list[tuple[Any, ...]]]:
    """Of each row the parts that belong to TABLES."""
    text, ends = statement()
    return [[row[begin:end] for begin, end in ends] for row in rows(text, [user_id, sign_in])]


@cache
def statement() -> tuple[str, list[tuple[int, int]]]:
    """The text, and where in a row the columns of each table are."""
    columns: list[str] = []
    places = []
    for model in TABLES:
        own = [f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields]
        places.append((len(columns), len(columns) + len(own)))
        columns += own
    user, membership, org = (model._meta.db_table for model in TABLES)
    joins = (
        f"LEFT JOIN {membership} ON {membership}.user_id = {user}.id LEFT JOIN {org} ON {org}.id = {membership}.org_id"
    )
    sign_in = SignIn._meta.db_table
    is_open = f"EXISTS (SELECT FROM {sign_in} WHERE id = %s AND user_id = {user}.id AND ended_at IS NULL)"
    # names of our own models only
    text = (
        f"SELECT {', '.join(columns)} FROM {user} {joins} "  # noqa: S608
        f"WHERE {user}.id = %s AND {user}.is_active AND {is_open} ORDER BY {membership}.id"
    )
    return text, places
