"""What is remembered of the runs of one key: a few numbers that each finished run moves, and the newest runs.

`remember` is the definition; the statement that folds ended attempts in does the same in SQL (a test holds them
equal), so that nothing has to be read back from the past when a job is submitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

SHORTEST_MS, LONGEST_MS = 1.0, 7 * 86_400_000.0
# Weight of the newest run in each mean: about the last run or two, the last five, the last twenty.
DECAYS = (0.5, 0.2, 0.05)
FAILED_DECAY = 0.2
RECENT = 16

# Most specific first. A kind is a (type, name); everything is of one organisation.
LEVELS = ("user_kind", "kind", "user", "type", "org")
# Of these the newest runs are kept one by one.
LEVELS_WITH_RUNS = ("user_kind", "kind")


class Run(NamedTuple):
    """A past run."""

    runtime_ms: float
    gap_seconds: float  # from the end of the run before it to its own end; 0 for the first
    failed: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one key. The means start at zero: divide by `weight` for what they stand for."""

    runs: int
    failures: int
    means: tuple[float, ...]  # of ln ms, one per DECAYS
    squares: tuple[float, ...]  # of (ln ms) squared, one per DECAYS
    failed: float  # mean of 0 and 1, by FAILED_DECAY
    last_ended: float  # seconds since the epoch
    recent: tuple[Run, ...]  # newest last, at most RECENT; empty where the level keeps none


def weight(decay: float, runs: int) -> float:
    """What the weights of the runs in a mean add up to (Kingma and Ba 2015, section 3)."""
    return 1.0 - (1.0 - decay) ** runs


def log_ms(runtime_ms: float) -> float:
    """ln of milliseconds, within SHORTEST_MS and LONGEST_MS."""
    return log(min(max(runtime_ms, SHORTEST_MS), LONGEST_MS))


def remember(known: Memory | None, *, runtime_ms: float, ended: float, failed: bool, keep_runs: bool) -> Memory:
    """The memory after one more run, which ended `ended` seconds after the epoch."""
    runs, failures, last = (known.runs, known.failures, known.last_ended) if known else (0, 0, ended)
    means = known.means if known else (0.0,) * len(DECAYS)
    squares = known.squares if known else (0.0,) * len(DECAYS)
    x = log_ms(runtime_ms)
    recent: tuple[Run, ...] = ()
    if keep_runs:
        run = Run(runtime_ms, max(ended - last, 0.0), failed)
        recent = ((*known.recent, run) if known else (run,))[-RECENT:]
    return Memory(
        runs + 1,
        failures + failed,
        tuple(mean + decay * (x - mean) for mean, decay in zip(means, DECAYS, strict=True)),
        tuple(square + decay * (x * x - square) for square, decay in zip(squares, DECAYS, strict=True)),
        (known.failed if known else 0.0) + FAILED_DECAY * (failed - (known.failed if known else 0.0)),
        max(last, ended),
        recent,
    )


def keys(user: str, type: str, name: str) -> tuple[str, ...]:
    """The key of a job at each of LEVELS; parts are joined by a character that no name may hold."""
    return (f"{user}\x1f{type}\x1f{name}", f"{type}\x1f{name}", user, type, "")


def typical_ms(memories: Sequence[Memory | None], default_ms: float = 2000.0, doubt: float = 1.0) -> float:
    """A first guess without any model: each level's mean, shrunk towards the next wider one's by its few runs."""
    guess = log(default_ms)
    for memory in reversed(memories):
        if memory is not None and memory.runs:
            own = memory.means[0] / weight(DECAYS[0], memory.runs)
            seen = min(memory.runs, 1.0 / DECAYS[0])
            guess += (own - guess) * seen / (seen + doubt)
    return exp(guess)


def typical_failure(memories: Sequence[Memory | None], default: float = 0.05, doubt: float = 1.0) -> float:
    """The chance of a failure in the same way: 0 to 1."""
    guess = default
    for memory in reversed(memories):
        if memory is not None and memory.runs:
            own = memory.failed / weight(FAILED_DECAY, memory.runs)
            seen = min(memory.runs, 1.0 / FAILED_DECAY)
            guess += (own - guess) * seen / (seen + doubt)
    return guess
