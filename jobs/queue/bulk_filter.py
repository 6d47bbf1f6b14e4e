"""A list's filter as JSON, so that an operation which goes on for long, or on another machine, means the same jobs."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from jobs.listing import Filters

# What JSON has no type for: the key that says which it is.
MOMENT, ID, SEVERAL = "moment", "id", "several"


def to_json(filters: Filters) -> dict[str, Any]:
    """What is set of it."""
    return {name: plain(value) for name, value in asdict(filters).items() if value not in ("", None, ())}


def from_json(stored: Mapping[str, Any]) -> Filters:
    """Raises ValueError for what this version does not know: to act on more jobs than were meant would be worse."""
    if strangers := set(stored) - {field.name for field in fields(Filters)}:
        raise ValueError(f"This version does not know the filter {', '.join(sorted(strangers))}.")
    return Filters(**{name: meant(value) for name, value in stored.items()})


def plain(value: Any) -> Any:
    match value:
        case datetime():
            return {MOMENT: value.isoformat()}
        case UUID():
            return {ID: str(value)}
        case tuple() | list():
            return {SEVERAL: [plain(one) for one in value]}
        case str() | bool() | int() | float() | None:
            return value
        case _:
            raise TypeError(f"A filter cannot hold {type(value).__name__}.")


def meant(value: Any) -> Any:
    match value:
        case {"moment": str(text)}:
            return datetime.fromisoformat(text)
        case {"id": str(text)}:
            return UUID(text)
        case {"several": list(found)}:
            return tuple(meant(one) for one in found)
        case _:
            return value
