"""What sq writes: tables and sentences for a terminal, JSON for programs. Data on stdout, talk on stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

COLOURS = {"done": 32, "online": 32, "running": 36, "failed": 31, "dead": 31, "cancelled": 33, "paused": 33}
MOST_WIDTH = 60


class Output:
    """`human`: for somebody who reads it on a terminal."""

    def __init__(self, *, json_asked: bool) -> None:
        self.terminal = sys.stdout.isatty()
        self.human = self.terminal and not json_asked
        self.colours = self.human and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        for stream in (sys.stdout, sys.stderr):
            # a terminal that cannot show a letter is shown its code
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    def json(self, value: Any) -> None:
        """One document on one line; on a terminal nothing in it can act."""
        print(json.dumps(value, ensure_ascii=self.terminal), flush=True)

    def line(self, *words: str) -> None:
        print(*words, flush=True)

    def say(self, text: str) -> None:
        """To the person, not to the program that reads."""
        print(text, file=sys.stderr, flush=True)

    def colour(self, word: str, text: str = "") -> str:
        """A status in its colour; the word is said all the same."""
        text = text or word
        return f"\x1b[{COLOURS[word]}m{text}\x1b[0m" if self.colours and word in COLOURS else text

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Columns as wide as they need; the last one has what is left of the line."""
        for number, line in enumerate(lines_of(titles, rows, shutil.get_terminal_size().columns)):
            shown = line if number == 0 else self.with_colours(line)
            self.line(f"\x1b[1m{shown}\x1b[0m" if number == 0 and self.colours else shown)

    def with_colours(self, line: str) -> str:
        """The first word of a line that is a status."""
        for word in line.split():
            if self.colours and word in COLOURS:
                return line.replace(f" {word} ", f" {self.colour(word)} ", 1)
        return line


def lines_of(titles: Sequence[str], rows: Iterable[Sequence[Any]], columns: int) -> list[str]:
    cells = [[clean(title) for title in titles], *([clean(cell) for cell in row] for row in rows)]
    widths = [min(max(len(row[place]) for row in cells), MOST_WIDTH) for place in range(len(titles))]
    lines = []
    for row in cells:
        padded = [cut(cell, width).ljust(width) for cell, width in zip(row[:-1], widths)]
        lines.append(cut("  ".join([*padded, row[-1]]), max(columns, 20)).rstrip())
    return lines


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def clean(value: Any) -> str:
    """One line of text that cannot act on a terminal: names and errors are what anybody of the organisation wrote."""
    text = "" if value is None else str(value)
    return "".join(" " if character in "\t\r\n" else "�" if acts(character) else character for character in text)


def acts(character: str) -> bool:
    # control characters, and those that turn the direction of what follows
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\u200c\u200d"


def age(moment: str | None) -> str:
    """How long ago that was, as 12s, 5m, 3h or 2d; nothing for nothing."""
    if not moment:
        return ""
    then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - then).total_seconds()
    sign = "in " if seconds < 0 else ""
    return sign + span(abs(seconds))


def span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def milliseconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"
