"""The life of a job as a track: a piece for each status it was in, as long as it was in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from jobs.pages.history import Step
from jobs.states import TERMINAL

# Of a hundred: a piece can be seen and pointed at, however short it was.
LEAST = 3.0
WHOLE = 100.0
# A piece of a track that has more is too small to see.
MOST = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """`seconds` in a status; x and width are of a hundred. The last of a job that has not ended goes on."""

    status: str
    attempt: int
    seconds: float
    goes_on: bool
    x: float
    width: float


def track(steps: Sequence[Step], now: datetime) -> list[Piece]:
    """What is shown of the history; an end takes no time, and is no piece of it."""
    known: list[tuple[str, int, float, bool]] = []
    for step, later in zip_longest(steps, steps[1:]):
        if later is None and step.to_status in TERMINAL:
            break
        seconds = max(((later.at if later else now) - step.at).total_seconds(), 0.0)
        if known and known[-1][0] == step.to_status != "running":
            # put off again, or changed: it goes on in the same status
            seconds += known.pop()[2]
        known.append((step.to_status, step.attempt, seconds, later is None))
    return drawn(known[-MOST:])


def drawn(known: Sequence[tuple[str, int, float, bool]]) -> list[Piece]:
    """To scale, but for those that would not be seen."""
    total = sum(seconds for _, _, seconds, _ in known)
    free = WHOLE - LEAST * len(known)
    pieces, x = [], 0.0
    for status, attempt, seconds, goes_on in known:
        width = LEAST + free * (seconds / total if total else 1 / len(known))
        pieces.append(Piece(status, attempt, seconds, goes_on, round(x, 2), round(width, 2)))
        x += width
    return pieces
