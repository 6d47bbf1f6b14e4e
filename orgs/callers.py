"""Who calls the API and where he is a member: read anew for each request, by one statement that is planned once."""

from functools import cache
from typing import Any

import psycopg
from django.db import DatabaseError, connection, models

from orgs import walls
from orgs.models import Membership, Org, User

TABLES: tuple[type[models.Model], ...] = (User, Membership, Org)


class Callers:
    """Stands where simplejwt looks for the model of users: `objects.get(id=…)`, and DoesNotExist."""

    DoesNotExist = User.DoesNotExist

    @property
    def objects(self) -> "Callers":
        return self

    def get(self, *, id: Any) -> User:
        """The person, with `memberships_read`: his memberships, the oldest first. Raises User.DoesNotExist."""
        rows = read(int(id))
        if not rows:
            raise User.DoesNotExist
        user: User = made(User, rows[0][0])
        user.memberships_read = [joined(user, *parts) for _, *parts in rows if parts[0][0] is not None]
        return user


def joined(user: User, of_membership: tuple[Any, ...], of_org: tuple[Any, ...]) -> Membership:
    membership: Membership = made(Membership, of_membership)
    membership.org, membership.user = made(Org, of_org), user
    return membership


def read(user_id: int) -> list[list[tuple[Any, ...]]]:
    """Of each row the parts that belong to TABLES."""
    text, ends = statement()
    try:
        rows = asked(text, user_id)
    except DatabaseError:
        # A connection of an earlier request may have been lost since. To ask again is as good as Django's own question
        # before the first statement of a request, which this one spares all others.
        if connection.connection is None or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        rows = asked(text, user_id)
    connection.health_check_done = True  # type: ignore[attr-defined]
    return [[row[begin:end] for begin, end in ends] for row in rows]


def asked(text: str, user_id: int) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, walls.across(walls.Across.CALLER):
        walls.tell(connection.connection)
        return psycopg.Cursor(connection.connection).execute(text.encode(), [user_id], prepare=True).fetchall()


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
    # names of our own models only
    text = f"SELECT {', '.join(columns)} FROM {user} {joins} WHERE {user}.id = %s ORDER BY {membership}.id"  # noqa: S608
    return text, places


def made(model: type[models.Model], values: tuple[Any, ...]) -> Any:
    """A model's instance of one row, as a query would make it."""
    fields = model._meta.concrete_fields
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
