"""Rows as CSV, JSON and lines of JSON, written one by one."""

import csv
import gzip
import hashlib
import io
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO
from uuid import UUID

from jobs.strict_json import written

# What a spreadsheet takes for the beginning of a formula, in its full width and small forms too (NFKC makes them one),
# and what it may pass over before it.
FORMULA = frozenset("=+-@")
BREAKS = frozenset("\t\r\n")
PASSED_OVER = " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\ufeff\u200b\u2028\u2029\u3000"
BUFFER_BYTES = 1 << 18
BOM = "\ufeff"


class TooMuch(ValueError):
    """More bytes than the file may have."""


class Hashed(io.RawIOBase):
    """A new file, counted and hashed as it is written. Raises TooMuch."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.file = path.open("xb", buffering=0)
        self.max_bytes = max_bytes
        self.count = 0
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        written_bytes = self.file.write(data)
        self.count += written_bytes
        if self.count > self.max_bytes:
            raise TooMuch
        self.hash.update(memoryview(data)[:written_bytes])
        return written_bytes

    def close(self) -> None:
        super().close()
        self.file.close()


def opened(stack: ExitStack, target: Hashed, *, gz: bool) -> TextIO:
    """Text into the target, through gzip if asked; the stack closes what is between."""
    binary: Any = stack.enter_context(io.BufferedWriter(target, BUFFER_BYTES))
    if gz:
        # without a name and a time: the same rows are the same bytes
        binary = stack.enter_context(gzip.GzipFile(filename="", fileobj=binary, mode="wb", compresslevel=6, mtime=0))
    return stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


class Table(Protocol):
    """A file of rows in the making: begun, then a row at a time, then ended."""

    def row(self, values: Sequence[Any]) -> None: ...
    def end(self) -> None: ...


class Csv:
    """RFC 4180, with the names of the columns first. No cell is a formula."""

    def __init__(self, out: TextIO, columns: Sequence[str], json: frozenset[str], *, bom: bool = False) -> None:
        if bom:
            out.write(BOM)
        self.writer = csv.writer(out, lineterminator="\r\n")
        self.writer.writerow(columns)
        self.json = [place for place, name in enumerate(columns) if name in json]

    def row(self, values: Sequence[Any]) -> None:
        cells = list(values)
        for place in self.json:
            if cells[place] is not None:
                cells[place] = json_cell(cells[place])
        self.writer.writerow([CELLS[type(value)](value) for value in cells])

    def end(self) -> None:
        """Nothing follows the rows."""


class JsonLines:
    """An object a line."""

    def __init__(self, out: TextIO, columns: Sequence[str]) -> None:
        self.out = out
        self.columns = columns

    def row(self, values: Sequence[Any]) -> None:
        self.out.write(self.text(values) + "\n")

    def text(self, values: Sequence[Any]) -> str:
        plain = [PLAIN.get(type(value), as_it_is)(value) for value in values]
        return written(dict(zip(self.columns, plain, strict=True)))

    def end(self) -> None:
        """Nothing follows the lines."""


class Json(JsonLines):
    """One list of objects, an object a line."""

    def __init__(self, out: TextIO, columns: Sequence[str]) -> None:
        super().__init__(out, columns)
        self.out.write("[")
        self.between = "\n"

    def row(self, values: Sequence[Any]) -> None:
        self.out.write(self.between + self.text(values))
        self.between = ",\n"

    def end(self) -> None:
        self.out.write("\n]\n")


def in_utc(moment: datetime) -> str:
    """Always with microseconds, so that times also sort as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def as_it_is(value: Any) -> Any:
    return value


def finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


PLAIN: Mapping[type, Callable[[Any], Any]] = {datetime: in_utc, UUID: str, float: finite}


def json_cell(value: Any) -> Any:
    """What a cell shows of a JSON value: numbers stay numbers, all else is JSON text."""
    return value if isinstance(value, int | float) else written(value)


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula; a leading ' says that it is text."""
    if not text or text[0].isalnum():
        return text
    first = unicodedata.normalize("NFKC", text.lstrip(PASSED_OVER)[:1])[:1]
    return f"'{text}" if (first and first in FORMULA) or text[0] in BREAKS else text


def number_cell(number: float) -> str:
    return repr(number) if math.isfinite(number) else ""


CELLS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    str: guarded,
    bool: lambda flag: "true" if flag else "false",
    int: str,
    float: number_cell,
    datetime: in_utc,
    UUID: str,
}
