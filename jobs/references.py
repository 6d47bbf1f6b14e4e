"""`{{secret:name}}` in the texts of a payload: found, checked, and replaced by the value where an attempt runs."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

from jobs.handlers.schemas import Fault, token
from orgs.models import Org
from orgs.vault import names_of

# In a payload as JSON; what has none holds no reference.
START = "{{secret:"
REFERENCE = re.compile(r"\{\{secret:([A-Za-z][A-Za-z0-9_]{0,63})\}\}")
# What somebody meant for one.
ATTEMPTED = re.compile(r"\{\{\s*secret\s*:", re.IGNORECASE)
OPEN = "{{"

MALFORMED = "Write {{secret:name}}, without blanks; a name is a letter, then letters, digits and underscores."
IN_A_NAME = "A secret can stand in a value, not in the name of a field."
NOT_HERE = "A secret cannot be used here."


class Known:
    """The names of an organisation's secrets, asked for once a call, and only by jobs that name one."""

    def __init__(self, org: Org) -> None:
        self.org = org

    @cached_property
    def names(self) -> frozenset[str]:
        return names_of(self.org)


def reference_faults(payload: Mapping[str, Any], fields: Collection[str] | None, known: Known) -> Iterator[Fault]:
    """`fields` are those that may hold references, None for all."""
    yield from faults_in_fields(payload, fields)
    for pointer, value in texts(payload):
        names = set(REFERENCE.findall(value))
        if names and (unknown := sorted(names - known.names)):
            yield pointer, f"Your organisation has no secret {unknown[0]!r}."


def faults_in_fields(payload: Mapping[str, Any], fields: Collection[str] | None) -> Iterator[Fault]:
    """What can be told without knowing which secrets there are."""
    for pointer, value in texts(payload):
        names = REFERENCE.findall(value)
        if len(ATTEMPTED.findall(value)) > len(names):
            yield pointer, MALFORMED
        elif names and fields is not None and pointer.split("/")[1] not in fields:
            yield pointer, NOT_HERE
    for pointer, name in keys(payload):
        if ATTEMPTED.search(name):
            yield pointer, IN_A_NAME


def texts(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a JSON value, with its JSON pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts(inner, pointer + token(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, pointer + token(index))


def keys(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every name of a field, with the JSON pointer of what has it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield pointer, name
            yield from keys(inner, pointer + token(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys(inner, pointer + token(index))


def names_in(payload: Mapping[str, Any]) -> set[str]:
    return {name for _, value in texts(payload) for name in REFERENCE.findall(value)}


def replaced(value: Any, value_of: Callable[[str], str]) -> Any:
    """A copy with values for references."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda found: value_of(found[1]), value) if START in value else value
    if isinstance(value, Mapping):
        return {name: replaced(inner, value_of) for name, inner in value.items()}
    return [replaced(inner, value_of) for inner in value] if isinstance(value, list) else value
