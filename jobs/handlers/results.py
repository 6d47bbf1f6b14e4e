"""What a handler returned, as JSON that PostgreSQL can keep."""

import dataclasses
import json
import math
import numbers
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.strict_json import MAX_DEPTH, MAX_NUMBER_CHARACTERS, UNSTORABLE

MAX_INTEGER = 10**MAX_NUMBER_CHARACTERS


class BadResult(ValueError):
    """The result cannot be kept as JSON; the message says why, for people."""


def json_result(value: Any) -> Any:
    """The value in JSON's own types, ready to be stored. Raises BadResult."""
    if value is None:
        return None
    limit = settings.RESULT_MAX_BYTES
    plain = Plain(limit).value(value, 0)
    if json_bytes(plain) > limit:
        raise too_large(limit)
    return plain


def json_bytes(value: Any) -> int:
    """How long a JSON value is when written."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def too_large(limit: int) -> BadResult:
    return BadResult(f"The result is larger than {limit} bytes of JSON; keep large output as an artefact.")


class Plain:
    """One walk over a result. It counts what it passes, so that a huge or endless one is given up early."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.passed = 0

    def value(self, value: Any, depth: int) -> Any:
        self.count(1)
        match value:
            case None | bool():
                return value
            case Enum():
                return self.value(value.value, depth)
            case str():
                return self.text(value)
            case numbers.Integral():
                return self.integer(int(value))
            case Decimal():
                return self.text(str(value))
            case numbers.Real():
                return self.number(float(value))
            case datetime() | date() | time():
                return self.text(value.isoformat())
            case timedelta():
                return value.total_seconds()
            case UUID() | PurePath():
                return self.text(str(value))
            case bytes() | bytearray() | memoryview():
                raise BadResult("The result holds bytes; decode them to text, or keep them as an artefact.")
        if depth >= MAX_DEPTH:
            raise BadResult(f"The result is nested deeper than {MAX_DEPTH}, or holds itself.")
        return self.container(value, depth + 1)

    def container(self, value: Any, depth: int) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return {field.name: self.value(getattr(value, field.name), depth) for field in fields}
        if isinstance(value, Mapping):
            return self.object(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth) for item in in_order(value)]
        raise BadResult(f"The result holds a {type(value).__qualname__}, which JSON cannot express.")

    def object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in value.items():
            name = self.key(key)
            if name in plain:
                raise BadResult(f"The result has two keys that are both written {name!r:.80}.")
            plain[name] = self.value(item, depth)
        return plain

    def key(self, key: Any) -> str:
        while isinstance(key, Enum):
            key = key.value
        if isinstance(key, datetime | date):
            key = key.isoformat()
        if isinstance(key, bool) or not isinstance(key, str | int | UUID):
            raise BadResult(f"The result has a {type(key).__qualname__} as a key; JSON's keys are strings.")
        return self.text(key if isinstance(key, str) else str(self.integer(key) if isinstance(key, int) else key))

    def text(self, value: str) -> str:
        self.count(len(value))
        if UNSTORABLE.search(value):
            raise BadResult("The result has a string with a NUL character or half of a surrogate pair.")
        # A subclass of str may bring its own behaviour to the encoder.
        return str.__str__(value)

    def integer(self, value: int) -> int:
        if not -MAX_INTEGER < value < MAX_INTEGER:
            raise BadResult(f"The result has a whole number of more than {MAX_NUMBER_CHARACTERS} digits.")
        return value

    def number(self, value: float) -> float:
        if not math.isfinite(value):
            raise BadResult(f"The result holds {value}, which is not a JSON number.")
        return value

    def count(self, characters: int) -> None:
        self.passed += characters
        if self.passed > self.limit:
            raise too_large(self.limit)


def in_order(items: Iterable[Any]) -> Iterable[Any]:
    """Sets have no order of their own: sorted where that is possible, so that equal results read alike."""
    if not isinstance(items, set | frozenset):
        return items
    try:
        return sorted(items)
    except TypeError:
        return list(items)
