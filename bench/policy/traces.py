"""Traces: gzip CSV files of submit_s, runtime_s, tenant, kind, size and requested_s, one job a line."""

import csv
import gzip
import os
import sys
from pathlib import Path

from predictor.examples import LogRow


def paths() -> list[Path]:
    """The traces named as arguments, else those of the folder SMARTQUEUE_TRACES."""
    named = [Path(name) for name in sys.argv[1:]]
    folder = os.environ.get("SMARTQUEUE_TRACES")
    found = named or (sorted(Path(folder).glob("*.csv.gz")) if folder else [])
    if not found:
        sys.exit("Name traces, or the folder they are in by SMARTQUEUE_TRACES.")
    return found


def read(path: Path) -> list[LogRow]:
    """The jobs of a trace: its kind is the name, its tenant the user, its size the payload."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_row(line) for line in csv.DictReader(lines)]


def name_of(path: Path) -> str:
    return path.name.removesuffix(".csv.gz")


def _row(line: dict[str, str]) -> LogRow:
    start, seconds = float(line["submit_s"]), float(line["runtime_s"])
    return LogRow(
        submitted_at=start,
        ended_at=start + seconds,
        type="trace",
        name=line["kind"],
        user=line["tenant"],
        payload_bytes=int(float(line["size"] or 0)),
        runtime_ms=seconds * 1000.0,
        failed=False,
        requested_ms=float(line["requested_s"]) * 1000.0 if line["requested_s"] else None,
    )
