"""Traces: what was submitted when, by whom, and how long it ran. A CSV, packed by gzip or not."""

import csv
import gzip
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

REQUIRED = ("submit_s", "runtime_s", "tenant", "kind")
OPTIONAL = ("size", "requested_s")
GZIP_MAGIC = b"\x1f\x8b"


class TraceError(ValueError):
    """The file is no trace; the message says where and why, in one line."""


class Row(NamedTuple):
    """A job of a trace; seconds."""

    submit_s: float
    runtime_s: float
    tenant: str
    kind: str
    size: int
    requested_s: float | None


@dataclass(frozen=True, slots=True)
class Trace:
    """In order of submission, the first at 0. `starts_at` is when that was, seconds of the trace's own clock."""

    rows: tuple[Row, ...]
    starts_at: float

    @property
    def work_seconds(self) -> float:
        return math.fsum(row.runtime_s for row in self.rows)

    @property
    def span_seconds(self) -> float:
        return self.rows[-1].submit_s - self.rows[0].submit_s

    def load(self, workers: int) -> float:
        """Offered load: the work over what the workers could do between the first and the last submit."""
        return self.work_seconds / (workers * self.span_seconds) if self.span_seconds else math.inf

    def at_load(self, load: float, workers: int) -> "Trace":
        """The same jobs, closer together or further apart, so that the offered load is this."""
        if not self.span_seconds:
            raise TraceError("all jobs are submitted at one moment: there is no load to set")
        factor = self.load(workers) / load
        rows = tuple(row._replace(submit_s=row.submit_s * factor) for row in self.rows)
        return replace(self, rows=rows)


def read(path: Path) -> Trace:
    """Raises TraceError for what is no trace."""
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == GZIP_MAGIC or path.suffix == ".gz" else raw
        reader = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""))
        rows = list(parsed(reader))
    except (OSError, EOFError) as error:
        raise TraceError(f"{path}: cannot be read: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: is not a CSV in UTF-8: {error}") from error
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error
    if not rows:
        raise TraceError(f"{path}: holds no jobs")
    first = rows[0].submit_s
    return Trace(tuple(row._replace(submit_s=row.submit_s - first) for row in rows), first)


def parsed(reader: "csv.DictReader[str]") -> Iterator[Row]:
    missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
    if missing:
        raise TraceError("lacks the columns " + ", ".join(missing))
    before = -math.inf
    for fields in reader:
        line = reader.line_num
        if None in fields or any(fields[name] is None for name in REQUIRED):
            raise TraceError(f"line {line} has another number of fields than the header")
        submit_s = number(fields, "submit_s", line)
        if submit_s < before:
            raise TraceError(f"line {line} was submitted before the line above it: sort by submit_s")
        before = submit_s
        yield row_of(fields, submit_s, line)


def row_of(fields: dict[str, str], submit_s: float, line: int) -> Row:
    runtime_s = number(fields, "runtime_s", line)
    if runtime_s <= 0:
        raise TraceError(f"line {line}: runtime_s is {fields['runtime_s']}, not above 0")
    size = number(fields, "size", line) if fields.get("size") else 0.0
    requested_s = number(fields, "requested_s", line) if fields.get("requested_s") else None
    if size < 0 or (requested_s is not None and requested_s < 0):
        raise TraceError(f"line {line}: size and requested_s may not be negative")
    return Row(submit_s, runtime_s, fields["tenant"], fields["kind"], int(size), requested_s or None)


def number(fields: dict[str, str], name: str, line: int) -> float:
    try:
        value = float(fields[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TraceError(f"line {line}: {name} is {fields[name]!r}, not a number")
    return value
