"""The kinds of values in etl jobs, and how a text becomes one: exactly, or not at all."""

import re
from typing import NamedTuple

# What a payload may ask for; a decimal's digits are in its name: decimal(12,2).
KINDS = ("text", "integer", "decimal", "number", "boolean", "date", "timestamp", "json")
TYPE_PATTERN = r"^(text|integer|number|boolean|date|timestamp|decimal\((?:[1-9]|[12]\d|3[0-8]),(?:\d|[12]\d|3[0-8])\))$"
NUMERIC = frozenset({"integer", "decimal", "number"})
IN_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date like 2026-01-31",
    "timestamp": "a time like 2026-01-31T12:00:00Z",
}
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIMESTAMP = DATE + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class Typed(NamedTuple):
    """A value in the engine's language, and its kind; "null" for what is nothing else."""

    sql: str
    kind: str


def quoted(name: str) -> str:
    """A name for the engine, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text for the engine, whatever it holds: in its strings only the quote has a meaning."""
    if "\0" in text:
        raise ValueError("a text with a NUL character is no constant")
    return "'" + text.replace("'", "''") + "'"


def kind_of(type: str) -> str:
    return type.partition("(")[0]


def in_words(type: str) -> str:
    if kind_of(type) == "decimal":
        _, digits, scale = re.split(r"\D+", type)[:3]
        return f"a number of at most {digits} digits, {scale} of them after the point"
    return IN_WORDS[type]


def converted(value: Typed, type: str) -> str:
    """The value as another type; null where it is none. What would lose digits is none."""
    sql, kind = value
    if type == "text" or kind == type:
        return f"CAST({sql} AS VARCHAR)" if kind != "text" else sql
    if kind == "text":
        return from_text(sql, type)
    match kind_of(type):
        case "integer" if kind in NUMERIC:
            return f"CASE WHEN {sql} = trunc({sql}) THEN TRY_CAST({sql} AS HUGEINT) END"
        case "number" if kind in NUMERIC:
            return f"CAST({sql} AS DOUBLE)"
        case "decimal" if kind in NUMERIC:
            return from_text(f"CAST({sql} AS VARCHAR)", type)
        case "date" if kind == "timestamp":
            return f"CAST({sql} AS DATE)"
        case "timestamp" if kind == "date":
            return f"CAST({sql} AS TIMESTAMP)"
    return from_text(f"CAST({sql} AS VARCHAR)", type)


def from_text(sql: str, type: str) -> str:
    match kind_of(type):
        # the engine's own casts also take 1_000, 0x10 and 1e3, and round away the digits that do not fit; patterns
        # would cost several times as much as these looks
        case "integer":
            return f"CASE WHEN NOT ({holds(sql, '.eE_')}) THEN CAST(TRY_CAST({sql} AS DECIMAL(38,0)) AS HUGEINT) END"
        case "decimal":
            scale = type.partition(",")[2].rstrip(")")
            made, point = f"TRY_CAST({sql} AS {type.upper()})", f"instr({sql}, '.')"
            return (
                f"CASE WHEN {holds(sql, 'eE_')} THEN NULL "
                f"WHEN {point} = 0 OR length({sql}) - {point} <= {scale} THEN {made} "
                f"WHEN length(rtrim({sql})) - {point} <= {scale} THEN {made} END"
            )
        case "number":
            finite = f"NOT ({holds(sql, '_')}) AND isfinite(TRY_CAST({sql} AS DOUBLE))"
            return f"CASE WHEN {finite} THEN TRY_CAST({sql} AS DOUBLE) END"
        case "boolean":
            sql = f"trim({sql})"
            words = [", ".join(map(literal, words)) for words in (TRUE, FALSE)]
            return f"CASE WHEN lower({sql}) IN ({words[0]}) THEN true WHEN lower({sql}) IN ({words[1]}) THEN false END"
        case "date":
            return only_if(f"trim({sql})", DATE, f"TRY_CAST({sql} AS DATE)")
        case "timestamp":
            # without a zone it is UTC, the session's; the plain type would pass over a zone that is given
            return only_if(f"trim({sql})", TIMESTAMP, f"(TRY_CAST({sql} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')")
    raise AssertionError(type)


def only_if(sql: str, pattern: str, converted: str) -> str:
    return f"CASE WHEN regexp_full_match({sql}, {literal(pattern)}) THEN {converted} END"


def holds(sql: str, signs: str) -> str:
    """Any of these characters."""
    return " OR ".join(f"contains({sql}, {literal(sign)})" for sign in signs)
