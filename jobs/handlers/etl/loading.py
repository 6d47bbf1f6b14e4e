"""Records of etl jobs into the engine's tables, whatever is in them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl.engine import Engine, Relation
from jobs.handlers.etl.records import RECORD_MAX_CHARACTERS, Digits, Record, value_of, written
from jobs.handlers.etl.rows import Bad
from jobs.handlers.etl.types import NUMERIC, Typed, literal

MAX_COLUMNS = 2_000
MAX_NAME = 200
LOOK_ROWS = 5_000
NOT_UTF8 = "it is not UTF-8"


def check_names(names: Sequence[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise PermanentFailure(f"It has {len(names)} columns; at most {MAX_COLUMNS} are read.")
    for name in names:
        if not 0 < len(name) <= MAX_NAME or "\0" in name or "\ufffd" in name:
            raise PermanentFailure(f"{name!r:.80} is no name of a column: 1 to {MAX_NAME} characters of text.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PermanentFailure(f"Two columns are named {twice!r:.80}.")


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
