"""The sources of an etl job: from files in its folder into the engine's tables."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl.casts import cast
from jobs.handlers.etl.engine import Engine, Relation
from jobs.handlers.etl.loading import check_names, inline, load
from jobs.handlers.etl.records import RECORD_MAX_CHARACTERS, Record, csv_records, json_records, ndjson_records, unpack
from jobs.handlers.etl.rows import Bad
from jobs.handlers.etl.types import Typed, converted, literal


class Asked(NamedTuple):
    """Of a file: the columns that are used, if not all, and the types that they will be made."""

    used: set[str] | None = None
    types: Mapping[str, str] = MappingProxyType({})


def file_name(number: int, format: str) -> str:
    """Of what gather() brought for the source: 0 is the main one, 1 that of the first step, and so on."""
    return f"in-{number}.{format}"


def read(
    engine: Engine,
    bad: Bad,
    source: Mapping[str, Any],
    number: int = 0,
    place: str = "",
    used: set[str] | None = None,
    ahead: Mapping[str, str] = MappingProxyType({}),
) -> Relation:
    """Of plain files only the columns `used`, if given, and with them what the first step will make of them (`ahead`):
    a value is looked at once. Raises PermanentFailure, BadRows."""
    wanted = dict(source.get("cast", {}))
    asked = Asked(used and used | set(wanted), {**ahead, **wanted})
    if "rows" in source:
        relation = load(engine, bad, inline(source["rows"]), source, place)
    elif "connection" in source:
        names, kinds = json.loads(engine.context.path(file_name(number, "columns")).read_text(encoding="utf-8"))
        file = engine.context.path(file_name(number, "csv"))
        relation = read_csv(engine, bad, file, {"header": False, "columns": names}, place, Asked())
        wanted = dict(zip(names, sized(engine, relation, kinds), strict=True)) | wanted
    else:
        relation = read_file(engine, bad, source, number, place, asked)
    wanted = {name: type for name, type in wanted.items() if type != "text"}
    return cast(engine, bad, relation, wanted, place) if wanted else relation


def read_file(engine: Engine, bad: Bad, source: Mapping[str, Any], number: int, place: str, asked: "Asked") -> Relation:
    format = next(each for each in ("csv", "json", "ndjson") if engine.context.path(file_name(number, each)).exists())
    path = unpack(
        engine.context.path(file_name(number, format)),
        source.get("encoding", "utf-8"),
        settings.ETL_UNPACKED_MAX_BYTES,
    )
    if format == "csv":
        return read_csv(engine, bad, path, source, place, asked)
    return load(engine, bad, json_records(path) if format == "json" else ndjson_records(path), source, place)


def sized(engine: Engine, relation: Relation, kinds: Sequence[str]) -> Iterator[str]:
    """For "numeric" of a database, of any size: the decimal that holds the column's values, else text."""
    for column, kind in zip(relation.columns.values(), kinds, strict=True):
        if kind != "numeric":
            yield kind
            continue
        digits = f"ltrim({column.sql}, '-')"
        row = next(
            engine.rows(
                f"SELECT max(length(split_part({digits}, '.', 1))), max(length(split_part({digits}, '.', 2))), "  # noqa: S608
                f"bool_and(regexp_full_match({digits}, '[0-9]+([.][0-9]+)?')) FROM ({relation.sql})"
            )
        )
        before, after, plain = row[0] or 1, row[1] or 0, row[2] is not False
        yield f"decimal({before + after},{after})" if plain and before + after <= 38 else "text"


# --- CSV ------------------------------------------------------------------------------------------------------------


def read_csv(
    engine: Engine,
    bad: Bad,
    path: Path,
    source: Mapping[str, Any],
    place: str,
    asked: Asked,
) -> Relation:
    """By the engine's own reader, which refuses a file in which anything is doubtful; then record by record."""
    import duckdb

    delimiter, header, nulls = source.get("delimiter", ","), source.get("header", True), source.get("nulls", [""])
    names = csv_names(path, delimiter, header, source.get("columns", []))
    # the engine's reader has always a text for null
    if nulls:
        try:
            return by_engine(engine, path, source, names, asked)
        except duckdb.Error:
            engine.context.log("The file is read record by record: it is not plain CSV throughout.")
    return load(engine, bad, rows_of(path, delimiter, header, names, nulls), {"columns": names}, place)


def by_engine(engine: Engine, path: Path, source: Mapping[str, Any], names: Sequence[str], asked: Asked) -> Relation:
    """Raises duckdb.Error."""
    kept = {name: engine.column() for name in names}
    reader = reader_of(path, list(kept.values()), source)
    # one that is missing is told of beside all that are there
    if asked.used and asked.used <= set(names):
        kept = {name: column for name, column in kept.items() if name in asked.used}
    made = {
        (name, type): (engine.column(), converted(Typed(kept[name], "text"), type))
        for name, type in asked.types.items()
        if name in kept and type != "text"
    }
    picked = ", ".join([*kept.values(), *(f"{sql} AS {column}" for column, sql in made.values())])
    table = engine.table()
    engine.tried(f"CREATE TEMP TABLE {table} AS SELECT {picked} FROM {reader}")  # noqa: S608
    line = f"rowid + {1 + int(source.get('header', True))} AS line"
    columns = ", ".join([*kept.values(), *(column for column, _ in made.values())])
    return Relation(
        f"SELECT rowid AS k, {line}, {columns} FROM {table}",  # noqa: S608
        {name: Typed(column, "text") for name, column in kept.items()},
        made={key: column for key, (column, _) in made.items()},
    )


def reader_of(path: Path, columns: Sequence[str], source: Mapping[str, Any]) -> str:
    shape = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    nulls = ", ".join(map(literal, source.get("nulls", [""])))
    skip = int(source.get("header", True))
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = false, skip = {skip}, columns = {{{shape}}}, "
        f"delim = {literal(source.get('delimiter', ','))}, quote = '\"', escape = '\"', strict_mode = true, "
        f"nullstr = [{nulls}], allow_quoted_nulls = true, max_line_size = {RECORD_MAX_CHARACTERS})"
    )


def csv_names(path: Path, delimiter: str, header: bool, given: Sequence[str]) -> list[str]:
    """The names of the columns: as given, or of the first line. Raises PermanentFailure."""
    with path.open("rb") as file:
        text = file.read(RECORD_MAX_CHARACTERS).decode("utf-8", "replace")
    csv.field_size_limit(RECORD_MAX_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        first = next(reader, None)
    except csv.Error as error:
        raise PermanentFailure(f"The first line is no CSV: {error}.") from None
    if given:
        return list(given)
    if not first:
        raise PermanentFailure("The file has no first line that names its columns.")
    if reader.line_num > 1:
        raise PermanentFailure("The name of a column has a line break in it, or a quote that is never closed.")
    names = [name.strip() for name in first] if header else [""] * len(first)
    names = [name or f"column_{number}" for number, name in enumerate(names, 1)]
    check_names(names)
    return names


def rows_of(path: Path, delimiter: str, header: bool, names: Sequence[str], nulls: Sequence[str]) -> Iterator[Record]:
    """CSV as objects; cells are null or text."""
    records = csv_records(path, delimiter)
    if header:
        next(records)
    for line, cells, fault in records:
        if fault:
            yield Record(line, None, fault)
            continue
        if not cells:
            if len(names) > 1:
                continue
            cells = [""]
        if len(cells) == len(names) + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != len(names):
            text = delimiter.join(cells)
            yield Record(line, text, f"it has {len(cells)} fields, not {len(names)}")
            continue
        yield Record(line, {name: None if cell in nulls else cell for name, cell in zip(names, cells, strict=True)})
