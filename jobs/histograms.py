"""Counts by bins of equal ratio: those of several intervals, kinds or queues are added, and quantiles read off the sum.

Of times eight bins to a doubling: a quantile is within 4.5 % of the true one (2^(1/16) - 1), whatever was added. Errors
are log2(predicted / actual), four bins to a doubling. jobs/queue/sql/roll_up.sql has the same numbers.
"""

import math
from collections.abc import Iterable, Mapping
from enum import IntEnum

# The bin of a time of one millisecond is ZERO above that of its measure; shorter than LEAST_MS counts as LEAST_MS.
ZERO = 100
BINS_PER_DOUBLING = 8
LEAST_MS, MOST_MS = 0.125, 1e12
RELATIVE_ERROR = 2 ** (1 / (2 * BINS_PER_DOUBLING)) - 1
ERROR_ZERO, ERRORS_PER_DOUBLING, MOST_DOUBLINGS = 500, 4, 100

Bins = Mapping[int, int]


class Measure(IntEnum):
    """What is counted. A bin is a thousand times this, and its place."""

    WAIT = 1
    RUN = 2
    PREDICTED = 3
    ERROR = 4
    PROCESSING = 5


def bin_of(measure: Measure, value: float) -> int:
    """Of milliseconds, or of log2(predicted / actual)."""
    if measure == Measure.ERROR:
        doublings = min(max(value, -MOST_DOUBLINGS), MOST_DOUBLINGS)
        return measure * 1000 + ERROR_ZERO + math.floor(doublings * ERRORS_PER_DOUBLING)
    ms = min(max(value, LEAST_MS), MOST_MS)
    return measure * 1000 + ZERO + math.floor(math.log2(ms) * BINS_PER_DOUBLING)


def middle(one: int) -> float:
    """The value in the middle of a bin: of times by ratio."""
    measure, place = divmod(one, 1000)
    if measure == Measure.ERROR:
        return (place - ERROR_ZERO + 0.5) / ERRORS_PER_DOUBLING
    return float(2 ** ((place - ZERO + 0.5) / BINS_PER_DOUBLING))


def of(bins: Bins, measure: Measure) -> dict[int, int]:
    """What was counted of one measure, in order."""
    return {one: bins[one] for one in sorted(bins) if one // 1000 == measure}


def total(many: Iterable[Bins]) -> dict[int, int]:
    added: dict[int, int] = {}
    for bins in many:
        for one, count in bins.items():
            added[one] = added.get(one, 0) + count
    return added


def quantile(bins: Bins, measure: Measure, share: float) -> float | None:
    """The value that this share of what was counted does not exceed; None of nothing."""
    known = of(bins, measure)
    wanted = math.ceil(share * sum(known.values()))
    passed = 0
    for one, count in known.items():
        passed += count
        if passed >= max(wanted, 1):
            return middle(one)
    return None
