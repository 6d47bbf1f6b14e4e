"""JSON values as people read them: text as text, the rest as indented JSON."""

import json
from dataclasses import dataclass
from typing import Any

SHORT = 120
SHOWN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """One member of an object, or the whole of another value (`name` is empty)."""

    name: str
    text: str
    short: bool
    value: Any = None

    @property
    def shown(self) -> str:
        return self.text[:SHOWN_CHARACTERS]

    @property
    def folds(self) -> bool:
        """Whether it is shown as a tree."""
        return isinstance(self.value, dict | list)

    @property
    def left_out(self) -> int:
        return max(len(self.text) - SHOWN_CHARACTERS, 0)


def parts(value: Any) -> list[Part]:
    """The members of an object, short ones first; else the one value."""
    if value is None:
        return []
    if not isinstance(value, dict):
        return [part("", value)]
    found = [part(name, member) for name, member in value.items()]
    return sorted(found, key=lambda one: not one.short)


def part(name: str, value: Any) -> Part:
    if isinstance(value, str):
        text = value
    else:
        indent = 2 if isinstance(value, dict | list) and value else None
        text = json.dumps(value, indent=indent, ensure_ascii=False)
    return Part(name, text, short=len(text) <= SHORT and "\n" not in text, value=value)
