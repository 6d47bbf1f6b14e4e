"""Small traces, made by hand or by chance."""

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

from jobs.simulation.trace import Row, Trace

HEADER = "submit_s,runtime_s,tenant,kind,size,requested_s"


def trace(*jobs: tuple[float, float], tenants: Sequence[str] | None = None) -> Trace:
    """Of (submit, runtime) in seconds."""
    names = tenants or [""] * len(jobs)
    rows = [Row(at, run, name, "work", 0, None) for (at, run), name in zip(jobs, names, strict=True)]
    return Trace(tuple(rows), 0.0)


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "trace.csv.gz"
    path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))
    return path


def some(folder: Path, jobs: int = 300, seed: int = 1) -> Path:
    """Of three kinds that take 1, 10 and 100 seconds, by two tenants, for about one worker and a half."""
    chance, at, lines = random.Random(seed), 0.0, []
    for _ in range(jobs):
        at += chance.expovariate(1 / 25.0)
        size = chance.choice([1, 10, 100])
        run = size * chance.lognormvariate(0.0, 0.2)
        lines.append(f"{at:.3f},{run:.3f},t{chance.randrange(2)},kind-{size},{size},")
    return write(folder, *lines)
