"""The steps of an etl job: each makes one relation of another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobs.handlers.base import PermanentFailure
from jobs.handlers.etl import casts as etl_casts
from jobs.handlers.etl.casts import column_of
from jobs.handlers.etl.engine import Engine, Relation
from jobs.handlers.etl.expressions import common, compiled
from jobs.handlers.etl.language import Misspelt, parse
from jobs.handlers.etl.rows import Bad
from jobs.handlers.etl.sources import read
from jobs.handlers.etl.types import NUMERIC, Typed

# What each makes of values: the kinds it takes (none: all) and gives (none: the same).
AGGREGATES: Mapping[str, tuple[frozenset[str], str | None, str]] = {
    "count": (frozenset(), "integer", "count({})"),
    "count_distinct": (frozenset(), "integer", "count(DISTINCT {})"),
    "sum": (NUMERIC, None, "sum({})"),
    "avg": (NUMERIC, "number", "avg({})"),
    "median": (NUMERIC, "number", "CAST(median({}) AS DOUBLE)"),
    "stddev": (NUMERIC, "number", "stddev_samp({})"),
    "min": (frozenset(), None, "min({})"),
    "max": (frozenset(), None, "max({})"),
}
JOINS = {"inner": "INNER", "left": "LEFT", "full": "FULL", "semi": "SEMI", "anti": "ANTI"}


def applied(engine: Engine, bad: Bad, relation: Relation, step: Mapping[str, Any], number: int) -> Relation:
    """Raises PermanentFailure, which names the step, and BadRows."""
    ((name, asked),) = step.items()
    place = f"/steps/{number - 1}/{name}"
    try:
        if name == "cast":
            return etl_casts.cast(engine, bad, relation, asked, place)
        if name == "validate":
            return etl_casts.validate(engine, bad, relation, asked, place)
        if name == "join":
            other = read(engine, bad, asked["with"], number, f"{place}/with")
            return join(engine, relation, other, asked)
        return PLAIN[name](engine, relation, asked)
    except (Misspelt, PermanentFailure) as error:
        raise PermanentFailure(f"{place}: {error}") from None


def select(engine: Engine, relation: Relation, names: Sequence[str]) -> Relation:
    return Relation(relation.sql, {name: column_of(relation, name) for name in names}, relation.settled)


def rename(engine: Engine, relation: Relation, names: Mapping[str, str]) -> Relation:
    for name in names:
        column_of(relation, name)
    columns = {names.get(name, name): column for name, column in relation.columns.items()}
    if len(columns) < len(relation.columns):
        raise PermanentFailure("Two columns would have one name.")
    return Relation(relation.sql, columns, relation.settled)


def keep_rows(engine: Engine, relation: Relation, text: str) -> Relation:
    test = compiled(parse(text), relation.columns)
    if test.kind not in ("boolean", "null"):
        raise Misspelt(f"It gives {test.kind}, not true or false.")
    return Relation(f"SELECT * FROM ({relation.sql}) WHERE {test.sql}", relation.columns, relation.settled)  # noqa: S608


def derive(engine: Engine, relation: Relation, texts: Mapping[str, str]) -> Relation:
    """All from the columns as they are before; a name that is there already is replaced."""
    columns = dict(relation.columns)
    picked = []
    for name, text in texts.items():
        try:
            value = compiled(parse(text), relation.columns)
        except Misspelt as error:
            raise Misspelt(f"{name}: {error}") from None
        if value.kind == "null":
            value = Typed("CAST(NULL AS VARCHAR)", "text")
        columns[name] = Typed(engine.column(), value.kind)
        picked.append(f"{value.sql} AS {columns[name].sql}")
    sql = f"SELECT *, {', '.join(picked)} FROM ({relation.sql})"  # noqa: S608
    return Relation(sql, columns, relation.settled)


def join(engine: Engine, left: Relation, right: Relation, asked: Mapping[str, Any]) -> Relation:
    """The keys are the left one's; other columns of the right are added, all or those that are asked for."""
    on = asked["on"] if isinstance(asked["on"], dict) else {name: name for name in asked["on"]}
    how = asked.get("how", "inner")
    tests, keys = [], {}
    for ours, theirs in on.items():
        one, other = column_of(left, ours), column_of(right, theirs)
        common(f"{ours}:", [one, other])
        tests.append(f"l.{one.sql} = r.{other.sql}")
        keys[ours] = f"coalesce(l.{one.sql}, r.{other.sql}) AS {one.sql}" if how == "full" else f"l.{one.sql}"
    picked = ["l.line", *(keys.get(name, f"l.{column.sql}") for name, column in left.columns.items())]
    columns = dict(left.columns)
    if how not in ("semi", "anti"):
        wanted = asked.get("columns") or [name for name in right.columns if name not in on.values()]
        for name in wanted:
            shown = asked.get("prefix", "") + name
            if shown in columns:
                raise PermanentFailure(f"Both have a column {shown!r:.80}: choose `columns`, or give a `prefix`.")
            columns[shown] = column_of(right, name)
            picked.append(f"r.{columns[shown].sql}")
    sql = (
        f"SELECT CAST(NULL AS BIGINT) AS k, {', '.join(picked)} FROM ({left.sql}) AS l "  # noqa: S608
        f"{JOINS[how]} JOIN ({right.sql}) AS r ON {' AND '.join(tests)}"
    )
    return Relation(sql, columns, settled=False)


def group(engine: Engine, relation: Relation, asked: Mapping[str, Any]) -> Relation:
    """In the order of the keys, so that equal rows make equal files."""
    keys = {name: column_of(relation, name) for name in asked["by"]}
    columns, picked = dict(keys), [column.sql for column in keys.values()]
    for name, aggregate in asked["aggregates"].items():
        if name in keys:
            raise PermanentFailure(f"{name!r:.80} is a key; give the aggregate another name.")
        ((function, of),) = aggregate.items()
        value = aggregated(function, of, relation)
        columns[name] = Typed(engine.column(), value.kind)
        picked.append(f"{value.sql} AS {columns[name].sql}")
    by = ", ".join(column.sql for column in keys.values())
    sql = (
        f"SELECT CAST(NULL AS BIGINT) AS k, CAST(NULL AS BIGINT) AS line, {', '.join(picked)} FROM ({relation.sql})"  # noqa: S608
        + (f" GROUP BY {by} ORDER BY {by}" if by else "")
    )
    return Relation(sql, columns, settled=False)


def aggregated(function: str, of: str, relation: Relation) -> Typed:
    takes, gives, sql = AGGREGATES[function]
    if function == "count" and of == "*":
        return Typed("count(*)", "integer")
    column = column_of(relation, of)
    if takes and column.kind not in takes:
        raise PermanentFailure(f"{function} needs a number; {of!r:.80} is {column.kind}: cast it first.")
    return Typed(sql.format(column.sql), gives or column.kind)


def sort(engine: Engine, relation: Relation, asked: Sequence[str | Mapping[str, Any]]) -> Relation:
    """Nulls come last. Rows that are alike stay in their order."""
    relation = engine.settle(relation)
    words = []
    for each in asked:
        by, descending = (each, False) if isinstance(each, str) else (each["by"], each.get("descending", False))
        words.append(f"{column_of(relation, by).sql} {'DESC' if descending else 'ASC'} NULLS LAST")
    sql = f"SELECT * FROM ({relation.sql}) ORDER BY {', '.join([*words, 'k'])}"  # noqa: S608
    return Relation(sql, relation.columns, settled=False)


def dedupe(engine: Engine, relation: Relation, names: Sequence[str]) -> Relation:
    """The first of the rows that are alike in these columns, or in all."""
    relation = engine.settle(relation)
    by = ", ".join(column_of(relation, name).sql for name in names or relation.columns)
    sql = f"SELECT * FROM ({relation.sql}) QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY k) = 1 ORDER BY k"  # noqa: S608
    return Relation(sql, relation.columns, settled=False)


def limit(engine: Engine, relation: Relation, count: int) -> Relation:
    return Relation(f"SELECT * FROM ({relation.sql}) LIMIT {int(count)}", relation.columns, settled=False)  # noqa: S608


PLAIN: Mapping[str, Callable[[Engine, Relation, Any], Relation]] = {
    "select": select,
    "rename": rename,
    "filter": keep_rows,
    "derive": derive,
    "group": group,
    "sort": sort,
    "dedupe": dedupe,
    "limit": limit,
}
