"""What is known of a job at submit, as arrays: what is remembered, its newest runs, its words, size and hour.

Runtimes become ln milliseconds. Whatever a sequence or a summary says about them is given relative to an
anchor, the best simple guess, so that the network learns corrections and not magnitudes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor import history, words
from predictor.history import Floats, Known, Recent, floats
from predictor.memory import DECAYS, LEVELS, RECENT, Memory, Run

LENGTH = 8  # runs the sequence holds
STEP_INPUTS = 4  # per past run: runtime by the anchor, runtime, gap, failed
# Simple guesses that the network weighs against each other; the anchor first.
CANDIDATES = (
    "anchor",
    *(f"{level}_{decay}" for level in LEVELS for decay in DECAYS),
    *("last", "last_two", "median", "kind_median", "requested", "trees"),
)
SUMMARIES = len(CANDIDATES) - 2 + 7 * len(LEVELS) + 11

_OWN, _KIND = LEVELS.index("user_kind"), LEVELS.index("kind")
_RANKS = np.arange(RECENT)


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
    at = floats(s.at for s in submissions)
    at = np.where(np.isfinite(at), at, 0.0)
    known = history.read_known([s.memories for s in submissions], at)
    recent = history.read_recent([_runs(s.memories, _OWN) or _runs(s.memories, _KIND) for s in submissions], RECENT)
    of_kind = history.read_recent([_runs(s.memories, _KIND) for s in submissions], RECENT)
    anchor, spread = history.anchor(known), history.spread(known)
    requested = floats(s.requested_ms for s in submissions)
    asked = history.log_milliseconds(np.where(requested > 0, requested, np.nan))
    candidates = _candidates(known, recent, of_kind, asked)
    candidates = np.where(np.isnan(candidates), 0.0, candidates - anchor[:, None])
    newest = recent.mask[:, -LENGTH:]
    log_ms = recent.log_ms[:, -LENGTH:]
    log_gaps = np.log1p(recent.gaps[:, -LENGTH:])
    centred = np.where(newest, log_ms - anchor[:, None], 0.0)
    steps = np.stack([centred, (log_ms - 9.0) / 4.0, log_gaps / 6.0, recent.failed[:, -LENGTH:]], axis=2)
    angle = at / 3600.0 % 24.0 * (np.pi / 12)
    number = np.maximum(newest.sum(axis=1), 1)
    one_by_one = (
        anchor, spread, np.log1p(_sizes(submissions)), np.sin(angle), np.cos(angle), requested > 0,
        centred.std(axis=1), log_gaps[:, -1], log_gaps.sum(axis=1) / number,
        recent.failed[:, -1], recent.failed.sum(axis=1) / number,
    )  # fmt: skip
    summary = np.concatenate([candidates[:, 1:-1], _levels(known), np.stack(one_by_one, axis=1)], axis=1)
    return Features(
        steps.astype(np.float32),
        newest,
        np.array([words.slots(s.type, s.name, s.user) for s in submissions], np.intp).reshape(-1, words.SLOTS),
        summary.astype(np.float32),
        candidates.astype(np.float32),
        anchor,
        spread,
        _evidence(known),
    )


def _runs(memories: Sequence[Memory | None], level: int) -> tuple[Run, ...]:
    memory = memories[level] if level < len(memories) else None
    return () if memory is None else memory.recent


def _candidates(known: Known, recent: Recent, of_kind: Recent, requested: Floats) -> Floats:
    """The simple guesses (B, CANDIDATES) in ln ms; the columns of anchor and trees, and what is unknown, NaN."""
    means = np.where(known.runs[:, :, None] > 0, known.means, np.nan).reshape(len(known.runs), -1)
    last = np.where(recent.mask[:, -1], recent.log_ms[:, -1], np.nan)
    guesses = (last, last_two(recent), median(recent), median(of_kind), requested)
    later = np.full((len(means), 1), np.nan)
    return np.concatenate([later, means, np.stack(guesses, axis=1), later], axis=1)


def _levels(known: Known) -> Floats:
    """Counts, spreads, failures and ages of every level, (B, 7 L)."""
    columns = (
        np.log1p(known.runs), known.runs > 0, known.spreads[:, :, 0], known.spreads[:, :, 2],
        known.failures, known.failed, np.log1p(known.ages),
    )  # fmt: skip
    return np.concatenate(columns, axis=1)


def _evidence(known: Known) -> NDArray[np.intp]:
    own, kind = known.runs[:, _OWN], known.runs[:, _KIND]
    return np.where(own >= MANY, 3, np.where(own > 0, 2, np.where(kind > 0, 1, 0))).astype(np.intp)


def last_two(recent: Recent) -> Floats:
    """ln of the mean milliseconds of the last two runs, as its authors define it (Tsafrir et al. 2007); NaN without."""
    both = recent.mask[:, -2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = np.log(np.where(both, np.exp(recent.log_ms[:, -2:]), 0.0).sum(axis=1) / both.sum(axis=1))
    return mean


def median(recent: Recent) -> Floats:
    """Median log runtime of each row's runs; NaN without."""
    number = recent.mask.sum(axis=1)
    ordered = np.sort(np.where(recent.mask, recent.log_ms, np.inf), axis=1)
    rows, last = np.arange(len(ordered)), ordered.shape[1] - 1
    middle = (ordered[rows, np.maximum(number - 1, 0) // 2] + ordered[rows, np.minimum(number // 2, last)]) / 2
    return np.where(number > 0, middle, np.nan)


def _sizes(submissions: Sequence[Submission]) -> Floats:
    sizes = floats(s.payload_bytes for s in submissions)
    return np.where(sizes > 0, np.minimum(sizes, float(1 << 60)), 0.0)
