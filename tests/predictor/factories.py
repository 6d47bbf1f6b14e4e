"""Submissions, logs and batches with defaults."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np

from predictor import network
from predictor.examples import Memories
from predictor.features import CANDIDATES, LENGTH, STEP_INPUTS
from predictor.memory import LEVELS, Memory
from predictor.runtime import Submission
from predictor.train import Example, LogRow, examples_from_log
from predictor.words import BUCKETS, SLOTS

SAMPLES = Path(__file__).parent / "samples"
NOTHING: tuple[Memory | None, ...] = (None,) * len(LEVELS)


def make_submission(**fields: Any) -> Submission:
    defaults: dict[str, Any] = {
        "type": "http",
        "name": "nightly sync",
        "user": "ada",
        "payload_bytes": 512,
        "at": 1_700_000_000.0,
        "memories": memories_of(1500.0, 1800.0),
    }
    return Submission(**{**defaults, **fields})


def memories_of(*runtimes_ms: float, failed: bool = False, every: float = 60.0) -> tuple[Memory | None, ...]:
    """At every level, of these runs alone, oldest first, the last of which ended at 1,700,000,000 - every."""
    known = Memories()
    for back, ms in zip(range(len(runtimes_ms), 0, -1), runtimes_ms, strict=True):
        known.add("ada", "http", "sync", runtime_ms=ms, ended=1_700_000_000.0 - back * every, failed=failed)
    return known.of("ada", "http", "sync")


def make_example(runtime_ms: float, number: int = 0, **fields: Any) -> Example:
    """The number is a second of an hour, at which it ended."""
    return Example(make_submission(**fields), runtime_ms, 1_700_000_000.0 + number)


def make_log(count: int, seed: int = 0) -> list[LogRow]:
    """A log with structure: each name has its own level, some switch between two speeds, payload counts."""
    rng = np.random.default_rng(seed)
    kinds = ("http", "etl", "image_resize")
    base = rng.normal(8.0, 1.5, 40)
    now, rows, slow = 1_700_000_000.0, [], np.zeros(40, bool)
    for _ in range(count):
        now += float(rng.exponential(20.0))
        name = int(rng.integers(40))
        slow[name] ^= rng.random() < 0.1
        payload = int(np.exp(rng.uniform(4, 12)))
        log_ms = base[name] + 1.5 * slow[name] + rng.normal(0.0, 0.3)
        if name % 3 == 1:
            log_ms += 0.4 * (np.log(payload) - 8.0)
        ms = float(np.exp(log_ms))
        user = f"user {name % 5}"
        rows.append(LogRow(now, now + ms / 1000, kinds[name % 3], f"job {name}", user, payload, ms, bool(slow[name])))
    return rows


def real_examples() -> list[Example]:
    """The first rows of a public grid log (see samples/README.md), in time order."""
    with gzip.open(SAMPLES / "grid.csv.gz", "rt", encoding="utf-8") as lines:
        rows = []
        for line in csv.DictReader(lines):
            start, seconds = float(line["submit_s"]), float(line["runtime_s"])
            who = line["tenant"]
            rows.append(
                LogRow(start, start + seconds, line["kind"], who, who, int(line["size"]), seconds * 1000, False)
            )
    return examples_from_log(rows)


def make_batch(rng: np.random.Generator, rows: int, dtype: Any = np.float64) -> network.Batch:
    """Random inputs with histories of every length, the empty one included."""
    lengths = rng.integers(0, LENGTH + 1, rows)
    lengths[0] = 0
    slots = rng.integers(1, BUCKETS, (rows, SLOTS))
    slots[:, 3:] *= rng.random((rows, SLOTS - 3)) < 0.5
    return network.Batch(
        steps=rng.normal(size=(rows, LENGTH, STEP_INPUTS)).astype(dtype),
        mask=np.arange(LENGTH) >= LENGTH - lengths[:, None],
        slots=slots,
        summary=rng.normal(size=(rows, network.INPUTS)).astype(dtype),
        candidates=rng.normal(size=(rows, len(CANDIDATES))).astype(dtype),
        spread=rng.uniform(0.1, 2.0, rows).astype(dtype),
    )
