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
from predictor.history import Floats, Known, Recent, floats, log_milliseconds
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
    anchor, spread = history.anchor_and_spread(known)
    requested = floats([s.requested_ms or 0.0 for s in submissions])
    asked = requested > 0
    guesses = _candidates(known, recent, median(both), np.where(asked, log_milliseconds(requested), np.nan))
    candidates = np.where(np.isnan(guesses), 0.0, guesses - anchor[:, None]).astype(np.float32)
    steps = _steps(recent, anchor)
    summary = np.empty((len(submissions), SUMMARIES), np.float32)
    summary[:, :_GUESSES] = candidates[:, 1:-1]
    _fill_levels(summary[:, _GUESSES : _GUESSES + len(_PER_LEVEL) * len(LEVELS)], known)
    angle = at * (np.pi / 43_200.0)
    number = np.maximum(recent.number, 1)
    means = np.add.reduce(steps, axis=1) / number[:, None]
    one_by_one = (
        anchor, spread, _log_sizes(submissions), np.sin(angle), np.cos(angle), asked,
        _deviation(steps, number), steps[:, -1, 2], means[:, 2], steps[:, -1, 3], means[:, 3],
    )  # fmt: skip
    for column, values in enumerate(one_by_one, SUMMARIES - len(one_by_one)):
        summary[:, column] = values
    slots = [words.slots(s.type, s.name, s.user) for s in submissions]
    return Features(
        steps,
        recent.mask,
        np.array(slots, np.intp).reshape(-1, words.SLOTS),
        summary,
        candidates,
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
    guesses[:, -6], guesses[:, -5] = last_and_last_two(recent)
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


def _deviation(steps: NDArray[np.float32], number: NDArray[np.intp]) -> Floats:
    """How far the newest runs lie from the anchor (B,), as the root of the mean square."""
    total = np.einsum("bt,bt->b", steps[:, :, 0], steps[:, :, 0])
    deviation: Floats = np.sqrt(total / number)
    return deviation


def _evidence(known: Known) -> NDArray[np.intp]:
    own, kind = known.runs[:, _OWN], known.runs[:, _KIND]
    evidence: NDArray[np.intp] = np.where(own > 0, 2, kind > 0) + (own >= MANY)
    return evidence


def last_and_last_two(recent: Recent) -> tuple[Floats, Floats]:
    """ln milliseconds of the last run, and of the mean of the last two as its authors define it (Tsafrir et al. 2007,
    https://doi.org/10.1109/TPDS.2007.70606): of one where there are no two, NaN where there is none."""
    newest = recent.log_ms[:, -1]
    last = np.where(recent.mask[:, -1], newest, np.nan)
    return last, np.where(recent.mask[:, -2], np.logaddexp(newest, recent.log_ms[:, -2]) - LN_2, last)


def median(recent: Recent) -> Floats:
    """Median log runtime of each row's runs; NaN without."""
    # The zeros of padding come first: no log runtime is below.
    ordered = np.sort(recent.log_ms, axis=1)
    medians: Floats = np.einsum("bt,bt->b", ordered, _MIDDLES[recent.number])
    return medians


def _middles() -> Floats:
    """Weights (LENGTH + 1, LENGTH) of a row in order, of which the last n count, for their median; NaN for none."""
    weights = np.zeros((LENGTH + 1, LENGTH))
    weights[0] = np.nan
    for number in range(1, LENGTH + 1):
        for middle in ((number - 1) // 2, number // 2):
            weights[number, LENGTH - number + middle] += 0.5
    return weights


_MIDDLES = _middles()


def _log_sizes(submissions: Sequence[Submission]) -> Floats:
    sizes = floats([s.payload_bytes for s in submissions])
    logs: Floats = np.log1p(np.fmin(np.fmax(sizes, 0.0), float(1 << 60)))
    return logs
