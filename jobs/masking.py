"""What an attempt must not show, taken out of whatever it tells: its log, result, errors, and the worker's own lines.

A value is found as it is and in the forms that it usually takes on its way: escaped in JSON, HTML or a Python literal,
percent-encoded, in base64 wherever it stands in the encoded text, in hexadecimal. Text is often cut, so the beginning
of a value at the end of a line counts too, as does its end at the beginning of one.
"""

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator
from typing import IO, Any
from urllib.parse import quote, quote_plus

MASK = "•••"
MIN_CHARACTERS = 4
# A part of a value is looked for at the edge of a line only from so many characters on.
PART_CHARACTERS = 8
# What urllib3 leaves as it is in a path or a query.
URL_SAFE = "!$&'()*+,;=:@/?"


class Mask:
    """Of some values. Making one takes as long as reading a few lines; one is made only for attempts that need it."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = sorted({value for value in values if len(value) >= MIN_CHARACTERS})
        self._forms = sorted({form for value in self.values for form in forms_of(value) if len(form) >= MIN_CHARACTERS})

    def text(self, text: str, by: str = MASK) -> str:
        """The same object where there is nothing to hide."""
        spans = sorted({span for form in self._forms for span in spans_of(form, text)})
        if not spans:
            return text
        parts, last = [], -1
        for begin, end in spans:
            # what overlaps or touches is one
            if begin > last:
                parts += [text[max(last, 0) : begin], by]
            last = max(last, end)
        return "".join([*parts, text[last:]])

    def json(self, value: Any) -> Any:
        """The same for a JSON value, its keys and numbers included."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(key): self.json(inner) for key, inner in value.items()}
            case list():
                return [self.json(inner) for inner in value]
            case bool() | None:
                return value
        text = json.dumps(value)
        return value if self.text(text) == text else MASK


def spans_of(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where it is, whole or cut off by the edge of a line."""
    least = min(PART_CHARACTERS, max(MIN_CHARACTERS, len(form) // 2))
    head, tail = form[:least], form[-least:]
    at = text.find(head)
    while at >= 0:
        if text.startswith(form, at):
            yield at, at + len(form)
        elif (end := line_end(text, at, at + len(form))) and form.startswith(text[at:end]):
            yield at, end
        at = text.find(head, at + 1)
    at = text.find(tail)
    while at >= 0:
        end = at + least
        begin = line_begin(text, end - len(form), at)
        if begin is not None and form.endswith(text[begin:end]):
            yield begin, end
        at = text.find(tail, at + 1)


def line_end(text: str, at: int, limit: int) -> int | None:
    """Where the line ends that `at` is in, if that is before the limit."""
    end = text.find("\n", at, limit)
    if end >= 0:
        return end
    return len(text) if limit > len(text) else None


def line_begin(text: str, limit: int, at: int) -> int | None:
    """Where the line begins that `at` is in, if that is behind the limit."""
    begin = text.rfind("\n", max(limit, 0), at)
    if begin >= 0:
        return begin + 1
    return 0 if limit < 0 else None


def forms_of(value: str) -> Iterator[str]:
    yield from escaped(value)
    yield from encoded(value)
    # logs are kept line by line
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines)


def escaped(value: str) -> Iterator[str]:
    inside = json.dumps(value)[1:-1]
    yield from (value, inside, json.dumps(inside)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield from (repr(value)[1:-1], html.escape(value), html.escape(value, quote=False))
    for text in (quote(value, safe=""), quote(value), quote(value, safe=URL_SAFE), quote_plus(value)):
        yield text
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def encoded(value: str) -> Iterator[str]:
    data = value.encode()
    yield from (data.hex(), data.hex().upper())
    for shift in range(3):
        # the characters that depend on nothing that stands before it or after
        first, last = -(-8 * shift // 6), 8 * (shift + len(data)) // 6
        text = base64.b64encode(bytes(shift) + data).decode()[first:last]
        yield text
        yield text.replace("+", "-").replace("/", "_")


# --- of this process ------------------------------------------------------------------------------------------------

_active: tuple[Mask, ...] = ()
_changing = threading.Lock()


def activate(mask: Mask) -> None:
    """Until deactivate() the process's log lines do not show it either, whichever thread writes them."""
    global _active
    with _changing:
        _active = (*_active, mask)


def deactivate(mask: Mask) -> None:
    global _active
    with _changing:
        _active = tuple(one for one in _active if one is not mask)


def hidden(text: str) -> str:
    """A text as it may be written while the attempts of this process run."""
    for mask in _active:
        text = mask.text(text)
    return text


class Covered:
    """A stream of this process: what a task prints in a thread, or its thread dies of, is hidden as log lines are."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(hidden(text))

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
