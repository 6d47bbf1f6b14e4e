"""What is known of a job at submit, as arrays: what is remembered, its newest runs, its words, size and hour.

Runtimes become ln milliseconds. Whatever a sequence or a summary says about them is given relative to an
anchor, the best simple guess, so that the network learns corrections and not magnitudes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor import history, words
from predictor.history import Floats, Known, Recent, floats
from predictor.memory import DECAYS, LEVELS, Memory, Run

LENGTH = 8  # runs the sequence holds
STEP_INPUTS = 4  # per past run: runtime by the anchor, runtime, gap, failed
# Simple guesses that the network weighs against each other; the anchor first.
CANDIDATES = (
    "anchor",
    *(f"{level}_{decay}" for level in LEVELS for decay in DECAYS),
    *("last", "last_two", "median", "kind_median", "requested", "trees"),
)
_GUESSES = len(CANDIDATES) - 2  # without anchor and trees
_PER_LEVEL = ("runs", "known", "spread_fast", "spread_slow", "failures", "failed", "age")
# The columns of a summary.
SUMMARY = (
    *CANDIDATES[1:-1],
    *(f"{level}_{what}" for what in _PER_LEVEL for level in LEVELS),
    *("anchor", "spread", "size", "hour_sin", "hour_cos", "requested_known", "deviation"),
    *("last_gap", "mean_gap", "last_failed", "mean_failed"),
)
SUMMARIES = len(SUMMARY)

LN_2 = log(2.0)
_OWN, _KIND = LEVELS.index("user_kind"), LEVELS.index("kind")


class Submission(NamedTuple):
    """A job as it is known when it is submitted."""

    type: str
    name: str
    user: str
    payload_bytes: int
    at: float  # seconds since the epoch
    memories: tuple[Memory | None, ...]  # in the order of memory.LEVELS, of runs that ended before the submit
    requested_ms: float | None = None  # what the submitter expects: an explicit timeout


@dataclass(frozen=True, slots=True)
class Features:
    """Network inputs of B submissions; runtimes in ln milliseconds."""

    steps: NDArray[np.float32]  # (B, LENGTH, STEP_INPUTS)
    mask: NDArray[np.bool_]  # (B, LENGTH)
    slots: NDArray[np.intp]  # (B, SLOTS): rows of the embedding; 0 is empty
    summary: NDArray[np.float32]  # (B, SUMMARIES), not yet standardised
    candidates: NDArray[np.float32]  # (B, len(CANDIDATES)), relative to the anchor, 0 where unknown; no trees yet
    anchor: Floats  # (B,)
    spread: Floats  # (B,): standard deviation to expect around the anchor
    evidence: NDArray[np.intp]  # (B,): which of EVIDENCE it has

    def __len__(self) -> int:
        return len(self.anchor)

    def take(self, rows: NDArray[np.intp] | slice) -> "Features":
        """The same for some of the rows."""
        return Features(*(getattr(self, name)[rows] for name in self.__slots__))


EVIDENCE = ("none", "kind", "few", "many")  # of the own user_kind: none, but of the kind; fewer than MANY; more
MANY = 4


def build(submissions: Sequence[Submission]) -> Features:
    """The features of each submission; odd values (None, NaN, negative, huge) never raise."""
    at = floats([s.at for s in submissions])
    at = np.where(np.isfinite(at), at, 0.0)
    known = history.read_known([s.memories for s in submissions], at)
    of_kind = [_runs(s.memories, _KIND) for s in submissions]
    own = [_runs(s.memories, _OWN) or kind for s, kind in zip(submissions, of_kind, strict=True)]
    both = history.read_recent(own + of_kind, LENGTH)  # (2B, LENGTH)
    recent = both.part(slice(len(submissions)))
    anchor, spread = history.anchor(known), history.spread(known)
    requested = floats([s.requested_ms or 0.0 for s in submissions])
    asked = history.log_milliseconds(np.where(requested > 0, requested, np.nan))
    candidates = _candidates(known, recent, median(both), asked)
    candidates = np.where(np.isnan(candidates), 0.0, candidates - anchor[:, None])
    steps = _steps(recent, anchor)
    summary = np.empty((len(submissions), SUMMARIES), np.float32)
    summary[:, :_GUESSES] = candidates[:, 1:-1]
    _fill_levels(summary[:, _GUESSES : _GUESSES + len(_PER_LEVEL) * len(LEVELS)], known)
    angle = at / 3600.0 % 24.0 * (np.pi / 12)
    number = np.maximum(recent.mask.sum(axis=1), 1)
    one_by_one = (
        anchor, spread, np.log1p(_sizes(submissions)), np.sin(angle), np.cos(angle), requested > 0,
        np.sqrt((steps[:, :, 0] ** 2).sum(axis=1) / number), steps[:, -1, 2], steps[:, :, 2].sum(axis=1) / number,
        steps[:, -1, 3], steps[:, :, 3].sum(axis=1) / number,
    )  # fmt: skip
    for column, values in enumerate(one_by_one, SUMMARIES - len(one_by_one)):
        summary[:, column] = values
    return Features(
        steps,
        recent.mask,
        np.array([words.slots(s.type, s.name, s.user) for s in submissions], np.intp).reshape(-1, words.SLOTS),
        summary,
        candidates.astype(np.float32),
        anchor,
        spread,
        _evidence(known),
    )


def _steps(recent: Recent, anchor: Floats) -> NDArray[np.float32]:
    """The newest runs as the sequence takes them, (B, LENGTH, STEP_INPUTS)."""
    steps = np.empty((*recent.mask.shape, STEP_INPUTS), np.float32)
    steps[:, :, 0] = (recent.log_ms - anchor[:, None]) * recent.mask
    steps[:, :, 1] = (recent.log_ms - 9.0) / 4.0
    steps[:, :, 2] = np.log1p(recent.gaps) / 6.0
    steps[:, :, 3] = recent.failed
    return steps


def _runs(memories: Sequence[Memory | None], level: int) -> tuple[Run, ...]:
    memory = memories[level] if level < len(memories) else None
    return () if memory is None else memory.recent


def _candidates(known: Known, recent: Recent, medians: Floats, requested: Floats) -> Floats:
    """The simple guesses (B, CANDIDATES) in ln ms; the columns of anchor and trees, and what is unknown, NaN."""
    guesses = np.full((len(known.runs), len(CANDIDATES)), np.nan)
    means = np.where(known.runs[:, :, None] > 0, known.means, np.nan)
    guesses[:, 1:-6] = means.reshape(len(means), -1)
    guesses[:, -6] = np.where(recent.mask[:, -1], recent.log_ms[:, -1], np.nan)
    guesses[:, -5] = last_two(recent)
    guesses[:, -4:-2] = medians.reshape(2, -1).T
    guesses[:, -2] = requested
    return guesses


def _fill_levels(summary: NDArray[np.float32], known: Known) -> None:
    """Put counts, spreads, failures and ages of every level in, (B, _PER_LEVEL x L)."""
    columns = (
        np.log1p(known.runs), known.runs > 0, known.spreads[:, :, 0], known.spreads[:, :, 2],
        known.failures, known.failed, np.log1p(known.ages),
    )  # fmt: skip
    for number, values in enumerate(columns):
        summary[:, number * len(LEVELS) : (number + 1) * len(LEVELS)] = values


def _evidence(known: Known) -> NDArray[np.intp]:
    own, kind = known.runs[:, _OWN], known.runs[:, _KIND]
    return np.where(own >= MANY, 3, np.where(own > 0, 2, np.where(kind > 0, 1, 0))).astype(np.intp)


def last_two(recent: Recent) -> Floats:
    """ln of the mean milliseconds of the last two runs, as its authors define it (Tsafrir et al. 2007); NaN without."""
    last, before = recent.log_ms[:, -1], recent.log_ms[:, -2]
    one, other = recent.mask[:, -1], recent.mask[:, -2]
    single = np.where(one, last, np.where(other, before, np.nan))
    mean: Floats = np.where(one & other, np.logaddexp(last, before) - LN_2, single)
    return mean


def median(recent: Recent) -> Floats:
    """Median log runtime of each row's runs; NaN without."""
    number = recent.mask.sum(axis=1)
    ordered = np.sort(np.where(recent.mask, recent.log_ms, np.inf), axis=1)
    rows, last = np.arange(len(ordered)), ordered.shape[1] - 1
    middle = (ordered[rows, np.maximum(number - 1, 0) // 2] + ordered[rows, np.minimum(number // 2, last)]) / 2
    return np.where(number > 0, middle, np.nan)


def _sizes(submissions: Sequence[Submission]) -> Floats:
    sizes = floats([s.payload_bytes for s in submissions])
    return np.where(sizes > 0, np.minimum(sizes, float(1 << 60)), 0.0)
