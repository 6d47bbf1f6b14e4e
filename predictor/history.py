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
# Of a memory, in this order: runs, last_ended, failures, failed, means, squares.
_NUMBERS = 4 + 2 * _D
_UNKNOWN = (0.0,) * _NUMBERS
# What one run leaves of the weight of those before, in the mean of failures, the means and the squares.
_FORGOTTEN = 1.0 - np.array((FAILED_DECAY, *DECAYS, *DECAYS))
# Within which the share of failures and those means are believed.
_LEAST = np.array([0.0, 0.0, *[LOG_SHORTEST] * _D, *[LOG_SHORTEST**2] * _D])
_MOST = np.array([1.0, 1.0, *[LOG_LONGEST] * _D, *[LOG_LONGEST**2] * _D])
# How far the mean of DECAYS that the anchor and the spread are made of looks back.
_SEEN = np.array([[1.0 / DECAYS[0]], [1.0 / DECAYS[1]]])
_START = np.array([_LOG_DEFAULT, WIDEST**2])
_NO_RUN = (np.nan, 0.0, 0.0)


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
    failed: NDArray[np.bool_]  # (B, T)
    mask: NDArray[np.bool_]  # (B, T)
    number: NDArray[np.intp]  # (B,): of runs

    def part(self, rows: slice) -> "Recent":
        return Recent(self.log_ms[rows], self.gaps[rows], self.failed[rows], self.mask[rows], self.number[rows])


def read_known(memories: Sequence[Sequence[Memory | None]], at: Floats) -> Known:
    """The memories of each submission, and their age at the moments at (B,). A broken memory counts as none."""
    raw = floats(_numbers(memories)).reshape(len(memories), len(LEVELS), _NUMBERS)
    known = np.logical_and.reduce(np.isfinite(raw), axis=2) & (raw[:, :, 0] >= 1)
    raw = np.where(known[:, :, None], raw, 0.0)
    runs = np.minimum(raw[:, :, 0], 1e9)
    weights = np.empty((len(memories), len(LEVELS), _NUMBERS - 2))
    weights[:, :, 0] = at_least_one = np.maximum(runs, 1.0)
    # after many runs nothing is left of the start: a power that small is slow
    np.subtract(1.0, _FORGOTTEN ** np.minimum(at_least_one, 500.0)[:, :, None], out=weights[:, :, 1:])
    shares = np.minimum(np.maximum(raw[:, :, 2:] / weights, _LEAST), _MOST)
    means = shares[:, :, 2 : 2 + _D]
    spreads = np.sqrt(np.maximum(shares[:, :, 2 + _D :] - means * means, 0.0))
    ages = clip(at[:, None] - raw[:, :, 1], 0.0, LONGEST_SECONDS) * known
    return Known(runs, means, spreads, shares[:, :, 0], shares[:, :, 1], ages)


def read_recent(runs: Sequence[Sequence[Run]], length: int) -> Recent:
    """The newest `length` = T runs of each, of which those without a usable runtime are left out."""
    newest = [of_one[-length:] for of_one in runs]
    padded = chain.from_iterable([*[_NO_RUN] * (length - len(of_one)), *of_one] for of_one in newest)
    raw = floats([*chain.from_iterable(padded)]).reshape(len(newest), length, 3)
    mask = raw[:, :, 0] >= 0  # a comparison with NaN is False
    number = np.add.reduce(mask, axis=1)
    if np.add.reduce(number) != sum(map(len, newest)):
        raw = np.take_along_axis(raw, np.argsort(mask, axis=1, kind="stable")[:, :, None], axis=1)
        mask = raw[:, :, 0] >= 0
    # fmax and fmin take the other where one is NaN
    log_ms = np.log(np.fmin(np.fmax(raw[:, :, 0], SHORTEST_MS), LONGEST_MS))
    gaps = np.fmin(np.fmax(raw[:, :, 1], 0.0), LONGEST_SECONDS)
    return Recent(log_ms, gaps, raw[:, :, 2] > 0, mask, number)


def anchor_and_spread(known: Known) -> tuple[Floats, Floats]:
    """A first guess (B,) in ln ms, and the standard deviation (B,) to expect around it.

    The guess is each level's newest mean, shrunk towards the next wider one's by its few runs, and at last to
    DEFAULT_MS: the same as memory.typical_ms, for many. The variance is shrunk in the same way from that of WIDEST.
    """
    seen = np.minimum(known.runs[:, None], _SEEN)  # (B, 2, L)
    seen[:, 1] = np.maximum(seen[:, 1] - 1.0, 0.0)  # one run says nothing of its spread
    believed = seen / (seen + DOUBT)
    passed_on = np.cumprod(1.0 - believed, axis=2)
    believed[:, :, 1:] *= passed_on[:, :, :-1]
    believed[:, 0] *= known.means[:, :, 0]
    believed[:, 1] *= np.square(known.spreads[:, :, 1])
    both = passed_on[:, :, -1] * _START + np.add.reduce(believed, axis=2)
    return both[:, 0], np.sqrt(both[:, 1])


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
                numbers += (memory.runs, memory.last_ended, memory.failures, memory.failed)
                numbers += memory.means
                numbers += memory.squares
        numbers += _UNKNOWN * (len(LEVELS) - len(of_one))
    return numbers
