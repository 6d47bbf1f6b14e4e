"""What the server itself says that statements took, from its log."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import cluster
from bench.ours.stage import Stage

LINE = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+ \[(\d+)\] ")
TIMED = re.compile(r"LOG:  duration: ([\d.]+) ms  (parse|bind|execute|statement)[^:]*: (.*)", re.DOTALL)
# Milliseconds of each time it ran, by what its first line says.
Durations = dict[str, list[float]]


@contextmanager
def logged(stage: Stage) -> Iterator[Durations]:
    """Of the sessions that begin in this block; filled when it ends."""
    found: Durations = defaultdict(list)
    log = stage.server.log_path
    begin = log.stat().st_size
    database = f"ALTER DATABASE {stage.database}"
    cluster.as_superuser(stage.server, f"{database} SET log_min_duration_statement = 0")
    cluster.as_superuser(stage.server, f"{database} SET log_parameter_max_length = 0")
    try:
        yield found
    finally:
        cluster.as_superuser(stage.server, f"{database} RESET ALL")
        for text, milliseconds in durations(log, begin):
            found[text].append(milliseconds)


def durations(log: Path, begin: int) -> Iterator[tuple[str, float]]:
    """A statement, and what parsing, planning and running it took together."""
    ahead: dict[str, float] = defaultdict(float)
    for process, entry in entries(log, begin):
        if timed := TIMED.match(entry):
            milliseconds, phase, text = float(timed[1]), timed[2], timed[3]
            if phase in ("parse", "bind"):
                ahead[process] += milliseconds
            else:
                yield text, milliseconds + ahead.pop(process, 0.0)


def entries(log: Path, begin: int) -> Iterator[tuple[str, str]]:
    """Process id and text of each entry; some go on over many lines."""
    process, lines = "", list[str]()
    with log.open("rb") as file:
        file.seek(begin, os.SEEK_SET)
        for raw in file:
            line = raw.decode(errors="replace")
            if head := LINE.match(line):
                yield process, "".join(lines)
                process, lines = head[1], [line[head.end() :]]
            else:
                lines.append(line)
    yield process, "".join(lines)


def first_words(text: str) -> str:
    """Our statements say on their first line what they do."""
    return " ".join(text.splitlines()[0].removeprefix("--").split())[:90]


def claims(found: Durations) -> list[float]:
    """What puts jobs into a worker's hands writes leases, whatever else it does."""
    return [one for text, each in found.items() if "INSERT INTO jobs_lease" in text for one in each]
