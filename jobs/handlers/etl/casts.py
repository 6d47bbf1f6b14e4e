"""Columns of an etl job made another type, and rows held to a schema: what does not fit is a bad row."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import jsonschema_rs

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl.engine import Engine, Relation
from jobs.handlers.etl.rows import Bad
from jobs.handlers.etl.types import Typed, converted, in_words, kind_of, literal


def cast(engine: Engine, bad: Bad, relation: Relation, wanted: Mapping[str, str], place: str) -> Relation:
    """Raises BadRows, and PermanentFailure for a column that is not there."""
    relation = engine.settle(relation)
    made, faults = dict(relation.columns), {}
    picked = dict.fromkeys(column.sql for column in relation.columns.values())
    for name, type in wanted.items():
        old = column_of(relation, name)
        if (name, type) in relation.made:
            sql = new = relation.made[name, type]
        else:
            sql, new = converted(old, type), engine.column()
        del picked[old.sql]
        picked[sql if sql == new else f"{sql} AS {new}"] = None
        made[name] = Typed(new, kind_of(type))
        faults[name, type] = f"({old.sql} IS NOT NULL AND {sql} IS NULL)"
    any_fault = " OR ".join(faults.values())
    count = engine.value(f"SELECT count(*) FILTER (WHERE {any_fault}) FROM ({relation.sql})")  # noqa: S608
    if count:
        note_faults(engine, bad, relation, faults, place, count)
        bad.judge()
    kept = f" WHERE NOT ({any_fault})" if count else ""
    return Relation(f"SELECT k, line, {', '.join(picked)} FROM ({relation.sql}){kept}", made)  # noqa: S608


def note_faults(
    engine: Engine, bad: Bad, relation: Relation, faults: Mapping[tuple[str, str], str], place: str, count: int
) -> None:
    which = " ".join(f"WHEN {sql} THEN {index}" for index, sql in enumerate(faults.values()))
    limit = "" if bad.wanted is None else f" LIMIT {bad.wanted}"
    rows = engine.rows(
        f"SELECT line, CASE {which} END, {relation.picked()} FROM ({relation.sql}) "  # noqa: S608
        f"WHERE {' OR '.join(faults.values())} ORDER BY k{limit}"
    )
    noted = 0
    for line, index, *values in rows:
        name, type = list(faults)[index]
        row = dict(zip(relation.columns, values, strict=True))
        bad.note(line, f"{name}: {str(row[name])!r:.80} is not {in_words(type)}", row, place)
        noted += 1
    bad.more(count - noted)


def validate(engine: Engine, bad: Bad, relation: Relation, schema: Mapping[str, Any], place: str) -> Relation:
    """Each row as a JSON object of its columns. Raises BadRows."""
    relation = engine.settle(relation)
    validator = compiled(schema)
    path = engine.context.path(f"{engine.table()}.bad")
    count = 0
    with path.open("w", encoding="ascii") as file:
        for k, line, *values in engine.rows(f"SELECT k, line, {relation.picked()} FROM ({relation.sql})"):  # noqa: S608
            row = dict(zip(relation.columns, map(as_json, values, relation.columns.values()), strict=True))
            if not validator.is_valid(row):
                fault = next(iter(validator.iter_errors(row)))
                pointer = "/".join(["", *map(str, fault.instance_path)])
                bad.note(line, f"{pointer}: {fault.message}", row, place)
                file.write(f"{k}\n")
                count += 1
    bad.judge()
    if not count:
        return relation
    table = engine.table()
    engine.run(
        f"CREATE TEMP TABLE {table} AS SELECT k FROM read_csv({literal(str(path))}, auto_detect = false, "  # noqa: S608
        "header = false, columns = {k: 'BIGINT'})"
    )
    return Relation(f"SELECT * FROM ({relation.sql}) WHERE k NOT IN (SELECT k FROM {table})", relation.columns)  # noqa: S608


def compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Raises ValueError. Patterns run in time that grows with the text only, whatever they are."""
    options = jsonschema_rs.RegexOptions(size_limit=1_000_000)
    return jsonschema_rs.Draft202012Validator(dict(schema), pattern_options=options)


def as_json(value: Any, column: Typed) -> Any:
    match value:
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
        case str() if column.kind == "json":
            return json.loads(value)
    return value


def column_of(relation: Relation, name: str) -> Typed:
    if name not in relation.columns:
        known = ", ".join(relation.columns)[:500]
        raise PermanentFailure(f"There is no column {name!r:.80}; there are: {known or 'none'}.")
    return relation.columns[name]
