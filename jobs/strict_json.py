"""JSON that PostgreSQL can keep and that reads back as it was sent (RFC 8259, I-JSON's RFC 7493 limits)."""

import json
import math
import re
from typing import Any
from uuid import UUID

import orjson

MAX_DEPTH = 64
MAX_NUMBER_CHARACTERS = 400
# Tried at the start of a run of digits only, which keeps it linear.
LONG_NUMBER = re.compile(rf"(?<!\d)\d{{{MAX_NUMBER_CHARACTERS}}}", re.ASCII)
# Possessive, and content with a string that never ends: else a body of escaped quotes costs the square of its length.
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
# A character PostgreSQL's jsonb refuses (NUL), or half of a pair, which UTF-8 cannot say.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class NotStrict(ValueError):
    """The text is not JSON we can keep; the message says where or why."""


def loads(data: bytes | str) -> Any:
    """Parse, or raise NotStrict with a sentence for people."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise NotStrict(f"not UTF-8 at byte {error.start}") from error
    check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=refuse_constant,
            parse_float=finite_float,
            # asked of each number only where the text holds a long one: most bodies do not
            parse_int=bounded_int if LONG_NUMBER.search(text) else None,
        )
    except NotStrict:
        raise
    except ValueError as error:
        raise NotStrict(str(error)) from error
    # UTF-8 and the parser refuse the bare characters, so only an escape can bring one in
    if "\\u" in text or isinstance(data, str):
        check_text(value)
    return value


def dumps(value: Any) -> str:
    """Compact JSON of what JSON can say, and of UUIDs. Raises NotStrict for NaN, infinities and halves of a pair."""
    text = written(value)
    # what is not finite was written as null: where there is none, no number needs to be looked at
    if "null" in text and has_non_finite(value):
        raise NotStrict("a number is not finite")
    return text


def written(value: Any) -> str:
    """dumps() of what is known to hold finite numbers only."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, half of a pair, or what is no JSON at all
        return slowly(value)


def slowly(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain)
        text.encode()
    except ValueError as error:
        raise NotStrict(str(error)) from error
    return text


def plain(value: Any) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__qualname__} has no JSON form")


def has_non_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_non_finite, value.values()))
    if isinstance(value, list):
        return any(map(has_non_finite, value))
    return isinstance(value, float) and not math.isfinite(value)


def check_depth(text: str) -> None:
    """Count open brackets outside strings before parsing, because the parser itself recurses."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotStrict(f"nested deeper than {MAX_DEPTH}")
        elif token[0] in "]}":
            depth -= 1


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotStrict("a key appears twice in one object")
    return value


def refuse_constant(word: str) -> Any:
    raise NotStrict(f"{word} is not a JSON number")


def finite_float(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_NUMBER_CHARACTERS or not math.isfinite(value):
        raise NotStrict("a number is out of range")
    return value


def bounded_int(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise NotStrict("a number is out of range")
    return int(digits)


def check_text(value: Any) -> None:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise NotStrict("a string holds a NUL character or half of a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(key)
            check_text(item)
    elif isinstance(value, list):
        for item in value:
            check_text(item)
