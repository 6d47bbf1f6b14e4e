"""The statements of the queue, one a file; run("claim", queue=…) runs claim.sql and returns its rows.

`{{settle}}` in a file stands for the text of settle.sql: the end of an attempt is written once.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection

FOLDER = Path(__file__).parent
# Django has such columns read as text, for its JSONField to parse.
JSONB = 3802


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
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    if "{{settle}}" in text:
        text = text.replace("{{settle}}", (FOLDER / "settle.sql").read_text(encoding="utf-8"))
    return Statement(name, text)


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
