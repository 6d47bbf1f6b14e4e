"""The sources of an etl job: from files in its folder into the engine's tables."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from django.conf import settings

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl_casts import cast
from jobs.handlers.etl_engine import Engine, Relation
from jobs.handlers.etl_records import (
    RECORD_MAX_CHARACTERS,
    Digits,
    Record,
    csv_records,
    json_records,
    ndjson_records,
    unpack,
    value_of,
    written,
)
from jobs.handlers.etl_rows import Bad
from jobs.handlers.etl_types import NUMERIC, Typed, literal

MAX_COLUMNS = 2_000
MAX_NAME = 200
LOOK_ROWS = 5_000
NOT_UTF8 = "it is not UTF-8"


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
) -> Relation:
    """Where `used` is given, of plain files only these columns. Raises PermanentFailure, BadRows."""
    wanted = dict(source.get("cast", {}))
    used = used and used | set(wanted)
    if "rows" in source:
        relation = load(engine, bad, inline(source["rows"]), source, place)
    elif "connection" in source:
        names, kinds = json.loads(engine.context.path(file_name(number, "columns")).read_text(encoding="utf-8"))
        file = engine.context.path(file_name(number, "csv"))
        relation = read_csv(engine, bad, file, {"header": False, "columns": names}, place)
        wanted = dict(zip(names, sized(engine, relation, kinds), strict=True)) | wanted
    else:
        relation = read_file(engine, bad, source, number, place, used)
    wanted = {name: type for name, type in wanted.items() if type != "text"}
    return cast(engine, bad, relation, wanted, place) if wanted else relation


def read_file(
    engine: Engine, bad: Bad, source: Mapping[str, Any], number: int, place: str, used: set[str] | None
) -> Relation:
    format = next(each for each in ("csv", "json", "ndjson") if engine.context.path(file_name(number, each)).exists())
    path = unpack(
        engine.context.path(file_name(number, format)),
        source.get("encoding", "utf-8"),
        settings.ETL_UNPACKED_MAX_BYTES,
    )
    if format == "csv":
        return read_csv(engine, bad, path, source, place, used)
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
    used: set[str] | None = None,
) -> Relation:
    """By the engine's own reader, which refuses a file in which anything is doubtful; then record by record."""
    import duckdb

    delimiter, header = source.get("delimiter", ","), source.get("header", True)
    names = csv_names(path, delimiter, header, source.get("columns", []))
    nulls = source.get("nulls", [""])
    columns = [engine.column() for _ in names]
    table = engine.table()
    shape = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    options = (
        f"auto_detect = false, header = false, skip = {int(header)}, delim = {literal(delimiter)}, quote = '\"', "
        f"escape = '\"', strict_mode = true, allow_quoted_nulls = true, max_line_size = {RECORD_MAX_CHARACTERS}, "
        f"nullstr = [{', '.join(map(literal, nulls or ['']))}], columns = {{{shape}}}"
    )
    if nulls == []:
        return load(engine, bad, rows_of(path, delimiter, header, names, nulls), {"columns": names}, place)
    kept = dict(zip(names, columns, strict=True))
    # one that is missing is told of beside all that are there
    if used and used <= set(names):
        kept = {name: column for name, column in kept.items() if name in used}
    picked = ", ".join(kept.values())
    try:
        engine.tried(
            f"CREATE TEMP TABLE {table} AS SELECT {picked} FROM read_csv({literal(str(path))}, {options})"  # noqa: S608
        )
    except duckdb.Error:
        engine.context.log("The file is read record by record: it is not plain CSV throughout.")
        return load(engine, bad, rows_of(path, delimiter, header, names, nulls), {"columns": names}, place)
    line = f"rowid + {1 + int(header)} AS line"
    known = {name: Typed(column, "text") for name, column in kept.items()}
    return Relation(f"SELECT rowid AS k, {line}, {picked} FROM {table}", known)  # noqa: S608


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


def check_names(names: Sequence[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise PermanentFailure(f"It has {len(names)} columns; at most {MAX_COLUMNS} are read.")
    for name in names:
        if len(name) > MAX_NAME or "\0" in name or "\ufffd" in name:
            raise PermanentFailure(f"{name!r:.80} is no name of a column: at most {MAX_NAME} characters of text.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PermanentFailure(f"Two columns are named {twice!r:.80}.")


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


# --- records --------------------------------------------------------------------------------------------------------


def inline(rows: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        yield Record(number, value_of(json.dumps(row)))


@dataclass
class Seen:
    """What a column has held: the kinds of its values, and the most digits before and after the point."""

    id: str
    kinds: set[str] = field(default_factory=set)
    before: int = 1
    after: int = 0

    def take(self, value: Any) -> str | None:
        """The value as a text."""
        match value:
            case None:
                return None
            case bool():
                self.kinds.add("boolean")
                return "true" if value else "false"
            case Digits():
                return self.number(value)
            case str():
                self.kinds.add("text")
                return value
        self.kinds.add("json")
        return written(value)

    def number(self, value: Digits) -> str:
        whole, _, part = value.lstrip("-").partition(".")
        kind = "number" if "e" in value.lower() else "decimal" if part else "integer"
        self.kinds.add(kind)
        if kind != "number":
            self.before, self.after = max(self.before, len(whole)), max(self.after, len(part))
        return str(value)

    @property
    def kind(self) -> str:
        """That all its values are of, exactly; text where there is none."""
        if len(self.kinds) == 1 and not self.kinds <= NUMERIC:
            return next(iter(self.kinds))
        if not self.kinds or not self.kinds <= NUMERIC:
            return "text"
        if "number" in self.kinds:
            return "number"
        if self.before + self.after > 38:
            return "text" if self.kinds == {"integer"} else "number"
        return "decimal" if "decimal" in self.kinds else "integer"

    @property
    def sql(self) -> str:
        type = {"integer": "HUGEINT", "number": "DOUBLE", "boolean": "BOOLEAN", "json": "JSON"}.get(
            self.kind, "VARCHAR"
        )
        if self.kind == "decimal":
            type = f"DECIMAL({self.before + self.after},{self.after})"
        return f"CAST({self.id} AS {type}) AS {self.id}"


def load(engine: Engine, bad: Bad, records: Iterable[Record], source: Mapping[str, Any], place: str) -> Relation:
    """Into a table, by a file of texts: whatever a value is, it arrives as it was written."""
    seen = {name: Seen(engine.column()) for name in source.get("columns", [])}
    path = engine.context.path(f"rows-{engine.table()}")
    with path.open("wb") as file:
        for count, (line, value, fault) in enumerate(records):
            if count % LOOK_ROWS == 0:
                engine.context.check_stopped()
            if fault or not isinstance(value, dict):
                bad.note(line, fault or "it is no object", value, place)
            else:
                keep(engine, bad, file, seen, line, value, place)
    bad.judge()
    table = engine.table()
    shape = ", ".join(["line: 'BIGINT'", *(f"{each.id}: 'VARCHAR'" for each in seen.values())])
    picked = ", ".join(["line", *(each.sql for each in seen.values())])
    engine.run(
        f"CREATE TEMP TABLE {table} AS SELECT {picked} FROM read_json({literal(str(path))}, "  # noqa: S608
        f"format = 'newline_delimited', columns = {{{shape}}}, maximum_object_size = {16 * RECORD_MAX_CHARACTERS})"
    )
    path.unlink()
    ids = ", ".join(["line", *(each.id for each in seen.values())])
    known = {name: Typed(each.id, each.kind) for name, each in seen.items()}
    return Relation(f"SELECT rowid AS k, {ids} FROM {table}", known)  # noqa: S608


def keep(
    engine: Engine, bad: Bad, file: IO[bytes], seen: dict[str, Seen], line: int, value: dict[str, Any], place: str
) -> None:
    row: dict[str, Any] = {"line": line}
    for name, each in value.items():
        if name not in seen:
            check_names([*seen, name] if len(seen) == MAX_COLUMNS else [name])
            seen[name] = Seen(engine.column())
        row[seen[name].id] = seen[name].take(each)
    try:
        file.write(orjson.dumps(row) + b"\n")
    except orjson.JSONEncodeError:
        bad.note(line, NOT_UTF8, value, place)
