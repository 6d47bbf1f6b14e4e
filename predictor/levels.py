"""Medians of log runtime by key, type, name and user: what a job without history of its own falls back to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

LEVELS = ("key", "type", "name", "user")  # most specific first; "key" is type and name together
LEVEL_CAPACITY = 8192  # entries a level keeps, the most frequent ones: bounds the size of stored weights
_FALLBACK = (0, 1, 3, 2)  # order in which levels answer: key, type, user, name


@dataclass(frozen=True, slots=True)
class Level:
    """One level's entries, sorted by key."""

    keys: Keys  # (M,)
    medians: Floats  # (M,) of ln milliseconds
    counts: Floats  # (M,) runs behind each median

    @staticmethod
    def empty() -> "Level":
        return Level(np.zeros(0, np.uint64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Levels:
    """The medians of every level, and of everything."""

    overall: float  # ln milliseconds
    levels: tuple[Level, ...]

    def look_up(self, keys: Keys) -> tuple[Floats, Floats]:
        """For keys (B, 4): medians (B, 4), NaN where a key is unknown, and counts (B, 4), 0 there."""
        medians = np.full(keys.shape, np.nan)
        counts = np.zeros(keys.shape)
        for column, level in enumerate(self.levels):
            if not level.keys.size:
                continue
            wanted = keys[:, column]
            at = np.minimum(np.searchsorted(level.keys, wanted), level.keys.size - 1)
            known = level.keys[at] == wanted
            medians[:, column] = np.where(known, level.medians[at], np.nan)
            counts[:, column] = np.where(known, level.counts[at], 0.0)
        return medians, counts

    def fallback(self, medians: Floats) -> Floats:
        """The first known median in each row of medians (B, 4), else the overall one: (B,)."""
        chosen = np.full(len(medians), self.overall)
        for column in reversed(_FALLBACK):
            chosen = np.where(np.isnan(medians[:, column]), chosen, medians[:, column])
        return chosen


def none_known(overall: float) -> Levels:
    """Levels without a single entry: every look-up ends at overall (ln milliseconds)."""
    return Levels(overall, tuple(Level.empty() for _ in LEVELS))


def measure(keys: Keys, log_ms: Floats) -> Levels:
    """Take the medians of log_ms (N,) by each column of keys (N, 4); N must be at least 1."""
    return Levels(float(np.median(log_ms)), tuple(_group(column, log_ms) for column in keys.T))


def snapshots(keys: Keys, log_ms: Floats, overall: float, blocks: int) -> tuple[Floats, Floats, Floats]:
    """Medians (N, 4), counts (N, 4) and fallback (N,) of every row, from the blocks of rows before its own.

    A model trained on medians that contain the very run it must predict would trust them too much. Past-only
    statistics avoid that (ordered target statistics: Prokhorenkova et al. 2018, https://arxiv.org/abs/1706.09516),
    and in blocks they are as stale as they will be between two trainings.
    """
    medians, counts, fallback = np.full(keys.shape, np.nan), np.zeros(keys.shape), np.full(len(keys), overall)
    edges = np.linspace(0, len(keys), blocks + 1).astype(int)
    for start, end in pairwise(edges):
        if start == 0 or start == end:  # nothing before it, or no row in it: short logs have empty blocks
            continue
        past = measure(keys[:start], log_ms[:start])
        medians[start:end], counts[start:end] = past.look_up(keys[start:end])
        fallback[start:end] = past.fallback(medians[start:end])
    return medians, counts, fallback


def keys_of(names: Sequence[tuple[str, str, str]]) -> Keys:
    """Keys (B, 4) of (type, name, user) triples, in the order of LEVELS."""
    return np.array([_keys(*triple) for triple in names], dtype=np.uint64).reshape(-1, len(LEVELS))


@lru_cache(maxsize=8192)
def _keys(kind: str, name: str, user: str) -> tuple[int, int, int, int]:
    return (
        stable_hash("key", kind, name),
        stable_hash("type", kind),
        stable_hash("name", name),
        stable_hash("user", user),
    )


def stable_hash(*parts: Any) -> int:
    """64 bits of BLAKE2b over the parts: the same in every process, unlike hash()."""
    # backslashreplace: a lone surrogate in a name must not stop a submit.
    text = "\x00".join(map(str, parts)).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def _group(keys: Keys, log_ms: Floats) -> Level:
    order = np.lexsort((log_ms, keys))
    keys, log_ms = keys[order], log_ms[order]
    found, starts, counts = np.unique(keys, return_index=True, return_counts=True)
    medians = (log_ms[starts + (counts - 1) // 2] + log_ms[starts + counts // 2]) / 2
    if len(found) > LEVEL_CAPACITY:
        kept = np.sort(np.argsort(-counts, kind="stable")[:LEVEL_CAPACITY])
        found, medians, counts = found[kept], medians[kept], counts[kept]
    return Level(found, medians, counts.astype(np.float64))
