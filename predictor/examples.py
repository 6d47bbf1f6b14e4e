"""Examples to learn from, made from a log without a look into the future."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import NamedTuple

from predictor.features import Submission
from predictor.memory import LEVELS, LEVELS_WITH_RUNS, Memory, keys, remember

Moment = float | datetime  # seconds since the epoch, or a datetime (taken as UTC when naive)


class LogRow(NamedTuple):
    """One finished job of a log; plain tuples in this order will do."""

    submitted_at: Moment
    ended_at: Moment | None  # None: it has not ended, so nothing is learned from it
    type: str
    name: str
    user: str
    payload_bytes: int
    runtime_ms: float | None
    failed: bool
    requested_ms: float | None = None


class Example(NamedTuple):
    """A submission and what it then took."""

    submission: Submission
    runtime_ms: float
    ended_at: float  # seconds since the epoch
    failed: bool = False


@dataclass(slots=True)
class Memories:
    """Of one organisation, all keys of all levels, in memory."""

    known: dict[tuple[str, str], Memory] = field(default_factory=dict)  # by level and key

    def of(self, user: str, type: str, name: str) -> tuple[Memory | None, ...]:
        """In the order of LEVELS."""
        return tuple(self.known.get(both) for both in zip(LEVELS, keys(user, type, name), strict=True))

    def add(self, user: str, type: str, name: str, *, runtime_ms: float, ended: float, failed: bool) -> None:
        """Remember one more run at every level."""
        for both in zip(LEVELS, keys(user, type, name), strict=True):
            self.known[both] = remember(
                self.known.get(both),
                runtime_ms=runtime_ms,
                ended=ended,
                failed=failed,
                keep_runs=both[0] in LEVELS_WITH_RUNS,
            )


def examples_from_log(rows: Iterable[LogRow | tuple[object, ...]]) -> list[Example]:
    """An example per row that ended with a runtime, in the order given, which must be by submitted_at.

    An example's memories are of the runs that had ended strictly before its submit, in the order of their ends.
    Give the rows of one organisation at a time: the keys know none.
    Raises ValueError where a row was submitted before the one ahead of it.
    """
    examples: list[Example] = []
    running: list[tuple[float, int, LogRow, float]] = []  # a heap by end; the number settles ties
    memories = Memories()
    now = float("-inf")
    for number, raw in enumerate(rows):
        row = LogRow(*raw)  # type: ignore[arg-type]  # plain tuples are welcome
        submitted = seconds(row.submitted_at)
        if submitted < now:
            raise ValueError(f"row {number} was submitted before the row ahead of it")
        now = submitted
        while running and running[0][0] < now:
            ended, _, past, ms = heapq.heappop(running)
            memories.add(past.user, past.type, past.name, runtime_ms=ms, ended=ended, failed=bool(past.failed))
        if row.ended_at is None or row.runtime_ms is None or not isfinite(row.runtime_ms) or row.runtime_ms < 0:
            continue
        known = memories.of(row.user, row.type, row.name)
        submission = Submission(row.type, row.name, row.user, row.payload_bytes, now, known, row.requested_ms)
        ended = seconds(row.ended_at)
        examples.append(Example(submission, row.runtime_ms, ended, bool(row.failed)))
        heapq.heappush(running, (ended, number, row, row.runtime_ms))
    return examples


def seconds(moment: Moment) -> float:
    """Seconds since the epoch."""
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)
