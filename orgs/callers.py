"""Who calls the API and where he is a member: read anew for each request, by one statement that is planned once."""

from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from django.db import DatabaseError, connection, models

from orgs import walls
from orgs.models import Membership, Org, SignIn, User

TABLES: tuple[type[models.Model], ...] = (User, Membership, Org)


def caller(user_id: int, sign_in: UUID) -> User | None:
    """The person, if his account and that sign-in of his are open, with `memberships_read`: the oldest first."""
    rows = read(user_id, sign_in)
    if not rows:
        return None
    user: User = made(User, rows[0][0])
    user.memberships_read = [joined(user, *parts) for _, *parts in rows if parts[0][0] is not None]
    return user


def joined(user: User, of_membership: tuple[Any, ...], of_org: tuple[Any, ...]) -> Membership:
    membership: Membership = made(Membership, of_membership)
    membership.org, membership.user = made(Org, of_org), user
    return membership


def read(user_id: int, sign_in: UUID) -> list[list[tuple[Any, ...]]]:
    """Of each row the parts that belong to TABLES."""
    text, ends = statement()
    try:
        rows = asked(text, user_id, sign_in)
    except DatabaseError:
        # A connection of an earlier request may have been lost since. To ask again is as good as Django's own question
        # before the first statement of a request, which this one spares all others.
        if connection.connection is None or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        rows = asked(text, user_id, sign_in)
    connection.health_check_done = True  # type: ignore[attr-defined]
    return [[row[begin:end] for begin, end in ends] for row in rows]


def asked(text: str, user_id: int, sign_in: UUID) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, walls.across(walls.Across.CALLER):
        walls.tell(connection.connection)
        return psycopg.Cursor(connection.connection).execute(text.encode(), [user_id, sign_in], prepare=True).fetchall()


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


def made(model: type[models.Model], values: tuple[Any, ...]) -> Any:
    """A model's instance of one row, as a query would make it."""
    fields = model._meta.concrete_fields
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
