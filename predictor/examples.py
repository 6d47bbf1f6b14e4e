"""Examples to learn from, made from a log without a look into the future."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import NamedTuple

from predictor.features import HISTORY_LENGTH, Run, Submission

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


@dataclass(slots=True)
class Example:
    """A submission and what it then took."""

    submission: Submission
    runtime_ms: float


def examples_from_log(rows: Iterable[LogRow | tuple[object, ...]]) -> list[Example]:
    """An example per row that ended with a runtime, in the order given, which must be by submitted_at.

    An example's history holds the runs of the same type and name that had ended strictly before its submit.
    Give the rows of one org at a time: the key knows no org.
    Raises ValueError where a row was submitted before the one ahead of it.
    """
    examples: list[Example] = []
    running: list[tuple[float, int, LogRow]] = []  # a heap by end; the number settles ties
    known: dict[tuple[str, str], deque[Run]] = {}
    last_end: dict[tuple[str, str], float] = {}
    now = float("-inf")
    for number, raw in enumerate(rows):
        row = LogRow(*raw)  # type: ignore[arg-type]  # plain tuples are welcome
        submitted = _seconds(row.submitted_at)
        if submitted < now:
            raise ValueError(f"row {number} was submitted before the row ahead of it")
        now = submitted
        while running and running[0][0] < now:
            ended, _, past = heapq.heappop(running)
            _learn(past, ended, known, last_end)
        if row.ended_at is None or row.runtime_ms is None or not isfinite(row.runtime_ms) or row.runtime_ms < 0:
            continue
        history = tuple(known.get((row.type, row.name), ()))
        hour = now / 3600.0 % 24.0
        submission = Submission(row.type, row.name, row.user, row.payload_bytes, hour, history)
        examples.append(Example(submission, row.runtime_ms))
        heapq.heappush(running, (_seconds(row.ended_at), number, row))
    return examples


def _learn(
    row: LogRow,
    ended: float,
    known: dict[tuple[str, str], deque[Run]],
    last_end: dict[tuple[str, str], float],
) -> None:
    key = (row.type, row.name)
    gap = ended - last_end.get(key, ended)
    last_end[key] = ended
    assert row.runtime_ms is not None  # rows without never enter the heap
    known.setdefault(key, deque(maxlen=HISTORY_LENGTH)).append(Run(row.runtime_ms, gap, bool(row.failed)))


def _seconds(moment: Moment) -> float:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)
