"""The expressions of etl jobs, in the engine's language: what is quoted stays so, functions are from a closed list."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from jobs.handlers.etl.language import Among, Call, Column, Constant, IsNull, Misspelt, Node, Operation, calls_of, parse
from jobs.handlers.etl.types import NUMERIC, Typed, converted, literal

# The directives of a date's format that mean the same everywhere.
FORMAT = re.compile(r"(?:%[YmdHMSyjbB]|[^%\0])*")
MOMENTS = frozenset({"date", "timestamp"})
ROUND_DIGITS = 20


class Function(NamedTuple):
    """Kinds of its parameters, any of a word's; "…" repeats the last; after "?" they may be left out."""

    parameters: str
    kind: str
    sql: Callable[..., str]


def plain(name: str) -> Callable[..., str]:
    return lambda *arguments: f"{name}({', '.join(arguments)})"


FUNCTIONS: Mapping[str, Function] = {
    "lower": Function("text", "text", plain("lower")),
    "upper": Function("text", "text", plain("upper")),
    "trim": Function("text", "text", plain("trim")),
    "length": Function("text", "integer", plain("length")),
    "substr": Function("text integer ? integer", "text", plain("substring")),
    "replace": Function("text text text", "text", plain("replace")),
    "split_part": Function("text text integer", "text", plain("split_part")),
    "concat": Function("any …", "text", plain("concat")),
    "contains": Function("text text", "boolean", plain("contains")),
    "starts_with": Function("text text", "boolean", plain("starts_with")),
    "ends_with": Function("text text", "boolean", plain("ends_with")),
    "abs": Function("numeric", "same", plain("abs")),
    "round": Function("numeric ? digits", "same", plain("round")),
    "floor": Function("numeric", "integer", lambda x: f"CAST(floor({x}) AS HUGEINT)"),
    "ceil": Function("numeric", "integer", lambda x: f"CAST(ceil({x}) AS HUGEINT)"),
    "coalesce": Function("same …", "same", plain("coalesce")),
    "nullif": Function("same same", "same", plain("nullif")),
    "least": Function("same …", "same", plain("least")),
    "greatest": Function("same …", "same", plain("greatest")),
    "if": Function("boolean same same", "same", lambda test, yes, no: f"CASE WHEN {test} THEN {yes} ELSE {no} END"),
    "year": Function("moment", "integer", plain("year")),
    "month": Function("moment", "integer", plain("month")),
    "day": Function("moment", "integer", plain("day")),
    "weekday": Function("moment", "integer", plain("isodow")),
    "hour": Function("timestamp", "integer", plain("hour")),
    "minute": Function("timestamp", "integer", plain("minute")),
    "add_days": Function("date integer", "date", lambda day, count: f"({day} + CAST({count} AS INTEGER))"),
    "days_between": Function("date date", "integer", lambda start, end: f"date_diff('day', {start}, {end})"),
    "to_text": Function("any", "text", plain("")),
    "to_integer": Function("any", "integer", plain("")),
    "to_number": Function("any", "number", plain("")),
    "to_date": Function("any ? format", "date", plain("")),
    "to_timestamp": Function("any ? format", "timestamp", plain("")),
}
WORDS = {"numeric": "a number", "moment": "a date or time", "digits": "a whole number, written out, from 0 to 20"}


def check(text: str) -> Node:
    """What can be known without the columns. Raises Misspelt."""
    node = parse(text)
    for call in calls_of(node):
        if call.name not in FUNCTIONS:
            raise Misspelt(f"There is no function {call.name!r:.40}; there are: {', '.join(FUNCTIONS)}.")
        fewest, most = arity(FUNCTIONS[call.name])
        if not fewest <= len(call.arguments) <= most:
            raise Misspelt(f"{call.name}() takes {fewest if fewest == most else f'{fewest} or more'} arguments.")
    return node


def arity(function: Function) -> tuple[int, float]:
    needed, _, more = function.parameters.partition("?")
    words = [word for word in needed.split() if word != "…"]
    return len(words), float("inf") if "…" in needed else len(words) + len(more.split())


def compiled(node: Node, columns: Mapping[str, Typed]) -> Typed:
    """Raises Misspelt for a column that is not there, and for kinds that do not go together."""
    match node:
        case Constant(value):
            return constant(value)
        case Column(name):
            if name not in columns:
                raise Misspelt(f"There is no column {name!r:.80}; there are: {', '.join(columns)[:500]}.")
            return columns[name]
        case IsNull(value, negated):
            return Typed(f"({compiled(value, columns).sql} IS {'NOT ' * negated}NULL)", "boolean")
        case Among(value, choices, negated):
            return among(compiled(value, columns), [compiled(each, columns) for each in choices], negated)
        case Operation(sign, operands):
            return operation(sign, [compiled(each, columns) for each in operands])
        case Call(name, arguments):
            return called(name, [compiled(each, columns) for each in arguments], arguments)


def constant(value: str | int | Decimal | float | bool | None) -> Typed:
    match value:
        case None:
            return Typed("NULL", "null")
        case bool():
            return Typed("true" if value else "false", "boolean")
        case str():
            if "\0" in value:
                raise Misspelt("A text may not hold a NUL character.")
            return Typed(literal(value), "text")
        case int():
            return Typed(str(value), "integer")
        case Decimal():
            return Typed(f"{value:f}", "decimal")
    return Typed(f"CAST({literal(repr(value))} AS DOUBLE)", "number")


def among(value: Typed, choices: Sequence[Typed], negated: bool) -> Typed:
    pairs = [alike("in", value, each) for each in choices]
    listed = ", ".join(each.sql for _, each in pairs)
    return Typed(f"({pairs[0][0].sql} {'NOT ' * negated}IN ({listed}))", "boolean")


def operation(sign: str, operands: Sequence[Typed]) -> Typed:
    if sign in ("and", "or", "not"):
        for each in operands:
            need(sign, each, "boolean")
        text = f"NOT {operands[0].sql}" if sign == "not" else f"{operands[0].sql} {sign.upper()} {operands[1].sql}"
        return Typed(f"({text})", "boolean")
    if sign in ("=", "!=", "<", "<=", ">", ">="):
        left, right = alike(sign, *operands)
        return Typed(f"({left.sql} {sign} {right.sql})", "boolean")
    for each in operands:
        need(sign, each, "numeric")
    if len(operands) == 1:
        return Typed(f"(- {operands[0].sql})", operands[0].kind)
    left, right = operands
    # what the engine answers to a division by zero differs by type; ours is always null
    divisor = f"nullif({right.sql}, 0)" if sign in "/%" else right.sql
    return Typed(f"({left.sql} {sign} {divisor})", "number" if sign == "/" else wider(left.kind, right.kind))


def called(name: str, values: list[Typed], nodes: Sequence[Node]) -> Typed:
    function = FUNCTIONS[name]
    if name.startswith("to_"):
        return conversion(name, values, nodes)
    if name in ("round", "floor", "ceil") and values[0].kind == "integer":
        return values[0]
    words = function.parameters.replace("? ", "").split()
    if words[-1] == "…":
        words = [words[0]] * len(values)
    same = [value for value, word in zip(values, words, strict=False) if word == "same"]
    kind = common(name, same) if same else values[0].kind
    if name == "concat":
        values = [Typed(converted(value, "text"), "text") for value in values]
    for value, word, node in zip(values, words, nodes, strict=False):
        need(name, value, word, node)
    given = [small(value, word) for value, word in zip(values, words, strict=False)]
    return Typed(f"{function.sql(*given)}", kind if function.kind == "same" else function.kind)


def small(value: Typed, word: str) -> str:
    """Counts and places: the engine's functions take no larger whole numbers."""
    return f"TRY_CAST({value.sql} AS INTEGER)" if word in ("integer", "digits") else value.sql


def conversion(name: str, values: Sequence[Typed], nodes: Sequence[Node]) -> Typed:
    type = name.removeprefix("to_")
    if len(values) == 1:
        return Typed(converted(values[0], type), type)
    need(name, values[0], "text")
    match nodes[1]:
        case Constant(str() as text) if FORMAT.fullmatch(text):
            sql = f"CAST(try_strptime({values[0].sql}, {literal(text)}) AS {type.upper()})"
            return Typed(sql, type)
    raise Misspelt(f"{name}() takes a format, written out, of %Y %m %d %H %M %S %y %j %b %B.")


def need(name: str, value: Typed, word: str, node: Node | None = None) -> None:
    fits = {
        "any": True,
        "same": True,
        "numeric": value.kind in NUMERIC,
        "moment": value.kind in MOMENTS,
        "digits": isinstance(node, Constant) and isinstance(node.value, int) and 0 <= node.value <= ROUND_DIGITS,
    }
    if value.kind != "null" and not fits.get(word, value.kind == word):
        raise Misspelt(f"{name} needs {WORDS.get(word, f'a {word}')}, not {value.kind}; cast it first.")


def alike(name: str, left: Typed, right: Typed) -> tuple[Typed, Typed]:
    """Both of one kind; a text that is written out becomes the date or time it is compared with."""
    for one, other, swapped in ((left, right, False), (right, left, True)):
        if one.kind in MOMENTS and other.kind == "text" and other.sql.startswith("'"):
            mended = moment(other.sql[1:-1], one.kind)
            return (mended, one) if swapped else (one, mended)
    common(name, [left, right])
    return left, right


def moment(text: str, kind: str) -> Typed:
    try:
        value = date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)
    except ValueError:
        raise Misspelt(f"{text!r:.40} is no {kind}.") from None
    return Typed(converted(Typed(literal(value.isoformat()), "text"), kind), kind)


def common(name: str, values: Sequence[Typed]) -> str:
    kinds = {value.kind for value in values} - {"null"}
    if len(kinds) > 1 and not kinds <= NUMERIC:
        raise Misspelt(f"{name} does not take {' and '.join(sorted(kinds))} together; cast one of them first.")
    return max(kinds, key=width) if kinds else "null"


def wider(left: str, right: str) -> str:
    return max(left, right, key=width)


def width(kind: str) -> int:
    return ("null", "integer", "decimal", "number").index(kind) if kind in NUMERIC | {"null"} else 9
