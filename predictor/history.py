"""Memories as arrays: what is known at each level, and the newest runs.

Sizes: batch B, levels L in the order of memory.LEVELS, decays D, runs T.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.memory import DECAYS, FAILED_DECAY, LEVELS, LONGEST_MS, SHORTEST_MS, Memory, Run

Floats = NDArray[np.float64]

LOG_SHORTEST, LOG_LONGEST = log(SHORTEST_MS), log(LONGEST_MS)
LONGEST_SECONDS = 1e9  # gaps and ages beyond are as good as never
DEFAULT_MS = 2000.0  # where nothing at all is known
_LOG_DEFAULT = log(DEFAULT_MS)
DOUBT = 1.0  # runs at which a level's mean is believed halfway
WIDEST = 2.0  # standard deviation of ln runtime where nothing is known: a factor of 13 to p90

_D = len(DECAYS)
# Of the mean of failures, of the means and of the squares: what one run leaves of the weight of those before.
_FORGOTTEN = 1.0 - np.array((FAILED_DECAY, *DECAYS, *DECAYS))
_NUMBERS = 4 + 2 * _D  # of a memory
_UNKNOWN = (0.0,) * _NUMBERS


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

    def part(self, rows: slice) -> "Recent":
        return Recent(self.log_ms[rows], self.gaps[rows], self.failed[rows], self.mask[rows])


def read_known(memories: Sequence[Sequence[Memory | None]], at: Floats) -> Known:
    """The memories of each submission, and their age at the moments at (B,). A broken memory counts as none."""
    raw = floats(_numbers(memories)).reshape(len(memories), len(LEVELS), _NUMBERS)
    known = np.isfinite(raw).all(axis=2) & (raw[:, :, 0] >= 1)
    raw = np.where(known[:, :, None], raw, 0.0)
    runs = np.minimum(raw[:, :, 0], 1e9)
    # After many runs nothing is left of the start: a power that small is slow.
    unbiased = raw[:, :, 3:] / (1.0 - _FORGOTTEN ** clip(runs, 1.0, 500.0)[:, :, None])
    means = clip(unbiased[:, :, 1 : 1 + _D], LOG_SHORTEST, LOG_LONGEST)
    squares = clip(unbiased[:, :, 1 + _D :], 0.0, LOG_LONGEST**2)
    spreads = np.sqrt(np.maximum(squares - means * means, 0.0))
    failures = clip(raw[:, :, 1] / np.maximum(runs, 1.0), 0.0, 1.0)
    ages = clip(at[:, None] - raw[:, :, 2], 0.0, LONGEST_SECONDS) * known
    return Known(runs, means, spreads, failures, clip(unbiased[:, :, 0], 0.0, 1.0), ages)


def read_recent(runs: Sequence[Sequence[Run]], length: int) -> Recent:
    """The newest `length` = T usable runs of each."""
    newest = [of_one[-length:] for of_one in runs]
    lengths = np.fromiter(map(len, newest), np.intp, len(newest))
    filled = np.arange(length) >= length - lengths[:, None]
    raw = np.full((len(newest), length, 3), np.nan)
    if lengths.any():
        raw[filled] = floats([*chain.from_iterable(chain.from_iterable(newest))]).reshape(-1, 3)
    mask = raw[:, :, 0] >= 0  # a comparison with NaN is False
    log_ms = np.where(mask, log_milliseconds(raw[:, :, 0]), 0.0)
    gaps = np.where(raw[:, :, 1] > 0, np.minimum(raw[:, :, 1], LONGEST_SECONDS), 0.0)
    return Recent(log_ms, gaps, (mask & (raw[:, :, 2] > 0)).astype(np.float64), mask)


def anchor(known: Known) -> Floats:
    """A first guess (B,) in ln ms: each level's newest mean, shrunk towards the next wider one's by its few runs.

    The same as memory.typical_ms, for many.
    """
    return _shrunk(known.means[:, :, 0], np.minimum(known.runs, 1.0 / DECAYS[0]), _LOG_DEFAULT)


def spread(known: Known) -> Floats:
    """The standard deviation (B,) of ln ms to expect around the anchor, shrunk in the same way from WIDEST."""
    # One run says nothing of its spread.
    seen = np.maximum(np.minimum(known.runs, 1.0 / DECAYS[1]) - 1.0, 0.0)
    deviation: Floats = np.sqrt(_shrunk(known.spreads[:, :, 1] ** 2, seen, WIDEST**2))
    return deviation


def _shrunk(own: Floats, seen: Floats, default: float) -> Floats:
    """What each level says (B, L), by the runs seen (B, L), shrunk to the next wider one's and at last to default."""
    believed = seen / (seen + DOUBT)
    passed_on = np.cumprod(1.0 - believed, axis=1)
    total: Floats = passed_on[:, -1] * default + believed[:, 0] * own[:, 0]
    total += (passed_on[:, :-1] * believed[:, 1:] * own[:, 1:]).sum(axis=1)
    return total


def log_milliseconds(ms: Floats) -> Floats:
    """Natural log of milliseconds, within one millisecond and seven days; NaN stays."""
    logs: Floats = np.log(clip(ms, SHORTEST_MS, LONGEST_MS))
    return logs


def clip(x: Floats, least: float, most: float) -> Floats:
    """x within the two, NaN as it is. A few times faster than np.clip where x is short."""
    within: Floats = np.minimum(np.maximum(x, least), most)
    return within


def floats(numbers: Sequence[Any]) -> Floats:
    """Any numbers as floats: None becomes NaN, an integer too large for a float becomes infinity."""
    try:
        return np.frombuffer(array("d", numbers), np.float64)  # several times faster than np.array
    except (OverflowError, TypeError):
        return np.array([_float(number) for number in numbers], dtype=np.float64)


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
    except (TypeError, ValueError):
        return np.nan


def _numbers(memories: Sequence[Sequence[Memory | None]]) -> list[Any]:
    """All numbers of all memories in a row, _NUMBERS for each level."""
    numbers: list[Any] = []
    for of_one in memories:
        for memory in of_one:
            if memory is None:
                numbers += _UNKNOWN
            else:
                numbers += (memory.runs, memory.failures, memory.last_ended, memory.failed)
                numbers += memory.means
                numbers += memory.squares
        numbers += _UNKNOWN * (len(LEVELS) - len(of_one))
    return numbers
