"""What is known of a job at submit, as arrays: its history, the medians around it, its words, size and hour.

Runtimes become ln milliseconds. Whatever a sequence or a summary says about them is given relative to an
anchor, the best simple guess, so that the network learns corrections and not magnitudes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.levels import LEVELS, Floats, Keys, Levels, keys_of, stable_hash

HISTORY_LENGTH = 8
SHORTEST_MS, LONGEST_MS = 1.0, 7 * 86_400_000.0
STEP_INPUTS = 4  # per past run: runtime by the anchor, runtime, gap, failed
BUCKETS = 1024  # rows of the hashed embedding (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206)
SLOTS = 7  # type, user, whole name, and up to four of its words
CANDIDATES = ("ewma", "slow_ewma", "last", "last_two", "median", *LEVELS)
SUMMARIES = len(CANDIDATES) - 1 + len(LEVELS) + 13

_EWMA_KEEPS, _SLOW_EWMA_KEEPS = 0.5, 0.8  # weight of a run relative to the next newer one
_LOG_SHORTEST, _LOG_LONGEST = np.log(SHORTEST_MS), np.log(LONGEST_MS)
_RANKS = np.arange(HISTORY_LENGTH + 1)
# Weight by rank (0 is the newest run) of each weighted mean; the last row of each is for "not a run".
_WEIGHTS = np.stack([_EWMA_KEEPS**_RANKS, _SLOW_EWMA_KEEPS**_RANKS, 1.0 * (_RANKS == 0), 1.0 * (_RANKS < 2)], axis=1)
_WEIGHTS[HISTORY_LENGTH] = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A past run of the same org, type and name."""

    runtime_ms: float
    gap_seconds: float  # from the end of the run before it to its own end; 0 for the first
    failed: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as it is known when it is submitted."""

    type: str
    name: str
    user: str
    payload_bytes: int
    hour: float  # of the day, 0 to 24
    history: tuple[Run, ...]  # newest last; runs that ended before the submit


@dataclass(frozen=True, slots=True)
class History:
    """The runs of B submissions, padded at the front to HISTORY_LENGTH = T."""

    log_ms: Floats  # (B, T); 0 where mask is False
    log_gap: Floats  # (B, T)
    failed: Floats  # (B, T)
    mask: NDArray[np.bool_]  # (B, T)
    means: Floats  # (B, 4): ewma, slow ewma, last, last two; NaN without history


@dataclass(frozen=True, slots=True)
class Features:
    """Network inputs of B submissions; runtimes in ln milliseconds."""

    steps: NDArray[np.float32]  # (B, T, STEP_INPUTS)
    mask: NDArray[np.bool_]  # (B, T)
    slots: NDArray[np.intp]  # (B, SLOTS): rows of the embedding; 0 is empty
    summary: NDArray[np.float32]  # (B, SUMMARIES), not yet standardised
    anchor: Floats  # (B,)
    candidates: NDArray[np.float32]  # (B, len(CANDIDATES)), relative to the anchor


def build(submissions: Sequence[Submission], levels: Levels) -> Features:
    """The features of each submission; odd values (None, NaN, negative, huge) never raise."""
    medians, counts = levels.look_up(level_keys(submissions))
    return assemble(submissions, read_history(submissions), medians, counts, levels.fallback(medians))


def level_keys(submissions: Sequence[Submission]) -> Keys:
    """Keys (B, 4) of the submissions' key, type, name and user."""
    return keys_of([(s.type, s.name, s.user) for s in submissions])


def read_history(submissions: Sequence[Submission]) -> History:
    """The usable runs of each submission and their weighted means."""
    histories = [s.history[-HISTORY_LENGTH:] for s in submissions]
    lengths = np.fromiter(map(len, histories), np.intp, len(histories))
    runs = list(chain.from_iterable(histories))
    raw = np.full((3, len(histories), HISTORY_LENGTH), np.nan)
    filled = _RANKS[:HISTORY_LENGTH] >= HISTORY_LENGTH - lengths[:, None]
    if runs:
        # One float conversion for all: it turns None into NaN.
        raw[:, filled] = np.array([(r.runtime_ms, r.gap_seconds, r.failed) for r in runs], dtype=np.float64).T
    mask = np.isfinite(raw[0]) & (raw[0] >= 0)
    log_ms = np.where(mask, _log_ms(raw[0]), 0.0)
    gaps = np.where(raw[1] > 0, np.minimum(raw[1], 1e9), 0.0)  # a comparison with NaN is False
    failed = 1.0 * (mask & (raw[2] > 0))
    newer = np.cumsum(mask[:, ::-1], axis=1)[:, ::-1] - 1
    weights = _WEIGHTS[np.where(mask, newer, HISTORY_LENGTH)]  # (B, T, 4)
    totals = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        means = np.einsum("btk,bt->bk", weights, log_ms) / totals
    # The mean of the last two is one of milliseconds, as its authors define it (Tsafrir et al. 2007).
    with np.errstate(invalid="ignore", divide="ignore"):
        means[:, 3] = np.log(np.einsum("bt,bt->b", weights[:, :, 3], np.exp(log_ms)) / totals[:, 3])
    return History(log_ms, np.log1p(gaps), failed, mask, means)


def assemble(
    submissions: Sequence[Submission], history: History, medians: Floats, counts: Floats, fallback: Floats
) -> Features:
    """Put histories, level medians and counts (B, 4) and the fallback (B,) together."""
    number = history.mask.sum(axis=1)
    known = number > 0
    anchor = np.where(known, history.means[:, 0], fallback)
    centred = np.where(history.mask, history.log_ms - anchor[:, None], 0.0)
    candidates = np.concatenate([history.means, _median(history, number)[:, None], medians], axis=1) - anchor[:, None]
    candidates[np.isnan(candidates)] = 0.0  # an unknown candidate repeats the anchor
    spread = np.sqrt((centred * centred).sum(axis=1) / np.maximum(number, 1))
    payload = np.log1p(np.array([_size(s.payload_bytes) for s in submissions]))
    hours = np.array([s.hour for s in submissions], dtype=np.float64)
    angle = np.where(np.isfinite(hours), hours, 0.0) % 24.0 * (np.pi / 12)
    one_by_one = (
        number / HISTORY_LENGTH, known, spread, centred[:, -1], history.log_gap[:, -1],
        history.log_gap.sum(axis=1) / np.maximum(number, 1), np.log1p(np.expm1(history.log_gap).sum(axis=1)),
        history.failed.sum(axis=1) / np.maximum(number, 1), history.failed[:, -1],
        payload, np.sin(angle), np.cos(angle), anchor,
    )  # fmt: skip
    summary = np.concatenate([candidates[:, 1:], np.log1p(counts), np.stack(one_by_one, axis=1)], axis=1)
    steps = np.stack([centred, (history.log_ms - 9.0) / 4.0, history.log_gap / 6.0, history.failed], axis=2)
    slots = np.array([_slots(s.type, s.name, s.user) for s in submissions], dtype=np.intp).reshape(-1, SLOTS)
    return Features(
        steps.astype(np.float32),
        history.mask,
        slots,
        summary.astype(np.float32),
        anchor,
        candidates.astype(np.float32),
    )


def _log_ms(ms: Floats) -> Floats:
    """Natural log of milliseconds, within one millisecond and seven days; NaN stays."""
    return np.log(np.clip(ms, SHORTEST_MS, LONGEST_MS))


def _median(history: History, number: NDArray[Any]) -> Floats:
    """Median log runtime of each row's runs; NaN without."""
    ordered = np.sort(np.where(history.mask, history.log_ms, np.inf), axis=1)
    rows = np.arange(len(ordered))
    median = (
        ordered[rows, np.maximum(number - 1, 0) // 2] + ordered[rows, np.minimum(number // 2, HISTORY_LENGTH - 1)]
    ) / 2
    return np.where(number > 0, median, np.nan)


def _size(payload_bytes: Any) -> float:
    # Compared before it is converted: an int past 1e308 has no float.
    return float(min(payload_bytes, 1 << 60)) if payload_bytes is not None and payload_bytes > 0 else 0.0


@lru_cache(maxsize=8192)
def _slots(kind: str, name: str, user: str) -> tuple[int, ...]:
    """Embedding rows of the type, the user, the name and its first words; all numbers are one word."""
    words = re.findall(r"[^\W\d_]+|\d+", str(name).lower())[: SLOTS - 3]
    tokens = [("type", kind), ("user", user), ("name", name)]
    tokens += [("word", "0" if word.isdigit() else word) for word in words]
    rows = [1 + stable_hash("slot", *token) % (BUCKETS - 1) for token in tokens]
    return tuple(rows + [0] * (SLOTS - len(rows)))
