"""Memories as arrays: what is known at each level, and the newest runs.

Sizes: batch B, levels L in the order of memory.LEVELS, decays D, runs T.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.memory import DECAYS, FAILED_DECAY, LEVELS, LONGEST_MS, SHORTEST_MS, Memory, Run

Floats = NDArray[np.float64]

LOG_SHORTEST, LOG_LONGEST = np.log(SHORTEST_MS), np.log(LONGEST_MS)
LONGEST_SECONDS = 1e9  # gaps and ages beyond are as good as never
DEFAULT_MS = 2000.0  # where nothing at all is known
DOUBT = 1.0  # runs at which a level's mean is believed halfway
WIDEST = 2.0  # standard deviation of ln runtime where nothing is known: a factor of 13 to p90

_DECAYS = np.array(DECAYS)
_D = len(DECAYS)
_NUMBERS = 4 + 2 * _D  # of a memory
_UNKNOWN = (0.0,) * _NUMBERS
_NOTHING: tuple[Memory | None, ...] = (None,) * len(LEVELS)


@dataclass(frozen=True, slots=True)
class Known:
    """What the memories of B submissions say, level by level; 0 where a level knows nothing."""

    runs: Floats  # (B, L)
    means: Floats  # (B, L, D) of ln ms
    spreads: Floats  # (B, L, D): standard deviation of ln ms
    failures: Floats  # (B, L): share of all runs
    failed: Floats  # (B, L): share of late
    ages: Floats  # (B, L): seconds since the last end


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest runs of one level, padded at the front."""

    log_ms: Floats  # (B, T); 0 where mask is False
    gaps: Floats  # (B, T): seconds
    failed: Floats  # (B, T)
    mask: NDArray[np.bool_]  # (B, T)


def read_known(memories: Sequence[Sequence[Memory | None]], at: Floats) -> Known:
    """The memories of each submission, and their age at the moments at (B,). A broken memory counts as none."""
    flat = floats(
        chain.from_iterable(_numbers(memory) for of_one in memories for memory in (*of_one, *_NOTHING[len(of_one) :]))
    )
    raw = flat.reshape(len(memories), len(LEVELS), _NUMBERS)
    known = np.isfinite(raw).all(axis=2) & (raw[:, :, 0] >= 1)
    raw = np.where(known[:, :, None], raw, 0.0)
    runs = np.minimum(raw[:, :, 0], 1e9)
    weights = np.where(known[:, :, None], 1.0 - (1.0 - _DECAYS) ** runs[:, :, None], 1.0)
    means = raw[:, :, 4 : 4 + _D] / weights
    means = np.where(known[:, :, None], np.clip(means, LOG_SHORTEST, LOG_LONGEST), 0.0)
    squares = np.clip(raw[:, :, 4 + _D :] / weights, 0.0, LOG_LONGEST**2)
    spreads = np.sqrt(np.maximum(squares - means * means, 0.0))
    failures = np.clip(raw[:, :, 1] / np.maximum(runs, 1.0), 0.0, 1.0)
    failed = np.clip(raw[:, :, 2] / np.where(known, 1.0 - (1.0 - FAILED_DECAY) ** runs, 1.0), 0.0, 1.0)
    ages = np.where(known, np.clip(at[:, None] - raw[:, :, 3], 0.0, LONGEST_SECONDS), 0.0)
    return Known(runs, means, spreads, failures, failed, ages)


def read_recent(runs: Sequence[Sequence[Run]], length: int) -> Recent:
    """The newest `length` = T usable runs of each."""
    newest = [of_one[-length:] for of_one in runs]
    lengths = np.fromiter(map(len, newest), np.intp, len(newest))
    filled = np.arange(length) >= length - lengths[:, None]
    raw = np.full((len(newest), length, 3), np.nan)
    if lengths.any():
        raw[filled] = floats(chain.from_iterable(chain.from_iterable(newest))).reshape(-1, 3)
    mask = raw[:, :, 0] >= 0  # a comparison with NaN is False
    log_ms = np.where(mask, log_milliseconds(raw[:, :, 0]), 0.0)
    gaps = np.where(raw[:, :, 1] > 0, np.minimum(raw[:, :, 1], LONGEST_SECONDS), 0.0)
    return Recent(log_ms, gaps, (mask & (raw[:, :, 2] > 0)).astype(np.float64), mask)


def anchor(known: Known) -> Floats:
    """A first guess (B,) in ln ms: each level's newest mean, shrunk towards the next wider one's by its few runs.

    The same as memory.typical_ms, for many.
    """
    guess = np.full(len(known.runs), np.log(DEFAULT_MS))
    seen = np.minimum(known.runs, 1.0 / DECAYS[0])
    for level in reversed(range(len(LEVELS))):
        guess += (known.means[:, level, 0] - guess) * seen[:, level] / (seen[:, level] + DOUBT)
    return guess


def spread(known: Known) -> Floats:
    """The standard deviation (B,) of ln ms to expect around the anchor, shrunk in the same way from WIDEST."""
    variance = np.full(len(known.runs), WIDEST**2)
    # One run says nothing of its spread.
    seen = np.maximum(np.minimum(known.runs, 1.0 / DECAYS[1]) - 1.0, 0.0)
    for level in reversed(range(len(LEVELS))):
        own = known.spreads[:, level, 1] ** 2
        variance += (own - variance) * seen[:, level] / (seen[:, level] + DOUBT)
    deviation: Floats = np.sqrt(variance)
    return deviation


def log_milliseconds(ms: Floats) -> Floats:
    """Natural log of milliseconds, within one millisecond and seven days; NaN stays."""
    logs: Floats = np.log(np.clip(ms, SHORTEST_MS, LONGEST_MS))
    return logs


def floats(numbers: Iterable[Any]) -> Floats:
    """Any numbers as floats: None becomes NaN, an integer too large for a float becomes infinity."""
    found = list(numbers)
    try:
        return np.array(found, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        return np.array([_float(number) for number in found], dtype=np.float64)


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
    except (TypeError, ValueError):
        return np.nan


def _numbers(memory: Memory | None) -> tuple[Any, ...]:
    if memory is None:
        return _UNKNOWN
    return (memory.runs, memory.failures, memory.failed, memory.last_ended, *memory.means, *memory.squares)
