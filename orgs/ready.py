"""Statements that stand before every call of the API: put together once, planned once, read without Django's cursor."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DatabaseError, connection, models

from orgs import walls


def rows(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What the statement finds, of whatever organisation."""
    try:
        found = asked(text, params)
    except DatabaseError:
        # A connection of an earlier request may have been lost since. To ask again is as good as Django's own question
        # before the first statement of a request, which this one spares all others.
        if connection.connection is None or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        found = asked(text, params)
    connection.health_check_done = True  # type: ignore[attr-defined]
    return found


def asked(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, walls.across(walls.Across.CALLER):
        walls.tell(connection.connection)
        return psycopg.Cursor(connection.connection).execute(text.encode(), params, prepare=True).fetchall()


def made(model: type[models.Model], values: Sequence[Any]) -> Any:
    """A model's instance of one row, as a query would make it."""
    fields = model._meta.concrete_fields
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
