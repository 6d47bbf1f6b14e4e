"""The end of an etl job's rows: a file in its folder."""

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl.engine import Engine, Relation
from jobs.handlers.etl.types import Typed, literal, quoted

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
OPTIONS = {
    "csv": "FORMAT csv, HEADER true",
    "json": "FORMAT json, ARRAY true",
    "ndjson": "FORMAT json, ARRAY false",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    # for a database
    "copy": "FORMAT csv, HEADER false",
}
# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
FILE = "out"


def write(engine: Engine, relation: Relation, format: str, *, formula_safe: bool) -> tuple[int, int]:
    """Rows and bytes. Raises PermanentFailure."""
    check_names(relation)
    columns = relation.columns
    if format == "parquet":
        relation = engine.settle(relation)
        columns = fitted(engine, relation)
    safe = formula_safe and format == "csv"
    picked = ", ".join(f"{out(column, safe, format)} AS {title(name, safe)}" for name, column in columns.items())
    path = engine.context.path(FILE)
    rows = engine.value(f"COPY (SELECT {picked} FROM ({relation.sql})) TO {literal(str(path))} ({OPTIONS[format]})")  # noqa: S608
    size = os.path.getsize(path)
    if size > settings.ARTEFACT_FILE_MAX_BYTES:
        raise PermanentFailure(f"What it writes has {size} bytes; at most {settings.ARTEFACT_FILE_MAX_BYTES} are kept.")
    return int(rows), size


def check_names(relation: Relation) -> None:
    """The engine does not tell "a" from "A", nor do the databases that read what is written."""
    if not relation.columns:
        raise PermanentFailure("There is no column to write.")
    seen: dict[str, str] = {}
    for name in relation.columns:
        if other := seen.get(name.casefold()):
            raise PermanentFailure(f"Two columns are named {other!r:.80} and {name!r:.80}: rename one.")
        seen[name.casefold()] = name


def out(column: Typed, safe: bool, format: str) -> str:
    sql, kind = column
    if kind in ("text", "json") and safe:
        return f"CASE WHEN regexp_matches({sql}, {literal(FORMULA)}) THEN concat('''', {sql}) ELSE {sql} END"
    if kind == "number":
        # no format has a word for what is not finite
        return f"CASE WHEN isfinite({sql}) THEN {sql} END"
    if kind == "timestamp" and format != "parquet":
        return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    return sql


def title(name: str, safe: bool) -> str:
    return quoted("'" + name if safe and name[0] in "=+-@\t\r\n＝＋－＠" else name)


def fitted(engine: Engine, relation: Relation) -> Mapping[str, Typed]:
    """Parquet has whole numbers of 64 bits, and larger ones as decimals only."""
    whole = [column.sql for column in relation.columns.values() if column.kind == "integer"]
    if not whole:
        return relation.columns
    asked = ", ".join(f"max(abs(CAST({sql} AS HUGEINT)))" for sql in whole)
    row: tuple[Any, ...] = next(engine.rows(f"SELECT {asked} FROM ({relation.sql})"))  # noqa: S608
    types = {sql: "BIGINT" if (most or 0) < 2**63 else "DECIMAL(38,0)" for sql, most in zip(whole, row, strict=True)}
    return {
        name: Typed(f"CAST({column.sql} AS {types[column.sql]})", column.kind) if column.sql in types else column
        for name, column in relation.columns.items()
    }
