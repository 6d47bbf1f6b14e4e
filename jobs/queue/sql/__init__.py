"""The statements of the queue, one a file; run("claim", queue=…) runs claim.sql and returns its rows.

`{{settle}}` in a file stands for the text of settle.sql: the end of an attempt is written once.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from django.db import connection

from orgs import walls

FOLDER = Path(__file__).parent
# Django has such columns read as text, for its JSONField to parse.
JSONB = 3802
LOOK_UP = (
    "SELECT set_config(name, 'off', false) FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', "
    "'enable_mergejoin']) AS name"
)
# Who asks, before a statement of a web request (orgs.walls).
SAY = b"SELECT set_config('role', $1, true), set_config('app.org', $2, true)"
OF_NO_TABLE = {"notify", "notify_many"}
FRAGMENT = re.compile(r"\{\{(\w+)\}\}")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Row(dict[str, Any]):
    """A result row, by column name."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Statement(NamedTuple):
    name: str
    text: str


@cache
def statement(name: str) -> Statement:
    return Statement(name, FRAGMENT.sub(lambda found: statement(found[1]).text.rstrip(), source(name)))


@cache
def numbered(name: str) -> tuple[bytes, list[str]]:
    """The text as PostgreSQL takes it, with $1 for %(name)s, and the names in that order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return PLACEHOLDER.sub(number, statement(name).text).encode(), names


def source(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def run(name: str, **params: Any) -> list[Row]:
    """Run one statement on this thread's connection; every name in the file must be given."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name).text, params)
        if cursor.description is None:
            return []
        columns = [(column.name, json.loads if column.type_code == JSONB else None) for column in cursor.description]
        return [Row(named(columns, values)) for values in cursor.fetchall()]


def named(
    columns: Sequence[tuple[str, Callable[[str], Any] | None]], values: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    for (name, read), value in zip(columns, values, strict=True):
        yield name, read(value) if read and value is not None else value


class Thread(threading.local):
    """What this thread's session is for."""

    only_the_queue = False
    tuned: Any = None


_thread = Thread()


def only_for_the_queue() -> None:
    """This thread's session runs nothing but these statements: let each row be looked up by index.

    A plan is made for the rows that live, and leases are few: to read all of them seems cheapest. Where vacuum cannot
    clear what has ended since, that is all that ever ran, each time.
    """
    _thread.only_the_queue = True


def tuned(session: Any) -> Any:
    if _thread.only_the_queue and _thread.tuned is not session:
        session.execute(LOOK_UP)
        _thread.tuned = session
    return session


Tuples = list[tuple[Any, ...]]


def rows(name: str, **params: Any) -> Tuples:
    """run() for the hot statements: planned once a session, its rows plain tuples in the order of the file."""
    return together((name, params))[0]


def together(*calls: tuple[str, dict[str, Any]]) -> list[Tuples]:
    """Several hot statements in one round trip and, outside a transaction, one commit: all of them or none."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        session = tuned(connection.connection)
        words = None if calls[0][0] in OF_NO_TABLE else walls.told(session)
        if len(calls) == 1 and words is None:
            return [prepared(session, *calls[0]).fetchall()]
        with session.pipeline():
            if words is not None:
                psycopg.RawCursor(session).execute(SAY, words, prepare=True)
            cursors = [prepared(session, name, params) for name, params in calls]
        return [cursor.fetchall() for cursor in cursors]


def prepared(session: Any, name: str, params: dict[str, Any]) -> "psycopg.RawCursor[tuple[Any, ...]]":
    # not Django's own cursor: that one puts the values into the text, which is then planned anew each time
    # and with the placeholders counted once
    text, names = numbered(name)
    return psycopg.RawCursor(session).execute(text, [params[each] for each in names], prepare=True, binary=True)
