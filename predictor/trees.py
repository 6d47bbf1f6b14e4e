"""Gradient-boosted trees of ln runtime: steps and thresholds, which a network of smooth functions is slow to find.

The trees are symmetric: all nodes of a depth share one question (Prokhorenkova et al. 2018,
https://arxiv.org/abs/1706.09516), so that a leaf is a number of DEPTH bits and many trees are asked at once. They
are grown on the sign of the residual and say its median in each leaf, which lowers the mean absolute error
(Friedman 2001, https://doi.org/10.1214/aos/1013203451).
Sizes: rows N, columns F, bins K, trees R, depth D.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from predictor import optim
from predictor.history import Floats
from predictor.lstm import Array

TREES, DEPTH, BINS = 180, 6, 128
MOST_TREES = 4 * TREES  # that stored weights may hold
RATE = 0.15
ROWS, ROWS_SHARE = 16_384, 0.7  # of the examples each tree's questions are chosen on, the fewer of the two
COLUMNS_SHARE = 0.5  # of the columns each tree may ask about
LEAF_DOUBT = 15.0  # examples at which a leaf is believed halfway
GAIN_DOUBT = 3.0  # the same in choosing a question
BEYOND = 1e6  # more than any column holds
_ONE = float(1 << 24)  # counts and sums of signs in one float: more than any sum, exact below 2 ** 53
_POWERS = (1 << np.arange(DEPTH)[::-1, None, None]).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Trees:
    """R trees, whose values add up."""

    start: float
    columns: NDArray[np.int16]  # (R, D): which column each depth asks about
    thresholds: NDArray[np.float32]  # (R, D): one bit where the column is above
    values: Array  # (R, 2 ** D)

    # As predict asks, by depth: columns (D, R), thresholds (D, R, 1), and where each tree's values start (R, 1).
    by_depth: tuple[NDArray[np.intp], Array, NDArray[np.intp]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns, thresholds = np.ascontiguousarray(self.columns.T, np.intp), self.thresholds.T[:, :, None]
        starts = np.arange(0, self.values.size, 2**DEPTH)[:, None]
        object.__setattr__(self, "by_depth", (columns, np.ascontiguousarray(thresholds), starts))

    def predict(self, x: Array) -> Floats:
        """The sum of all trees for rows x (N, F): (N,)."""
        total = np.full(len(x), self.start)
        if len(self.columns):
            columns, thresholds, starts = self.by_depth
            bits = (x.T[columns] > thresholds).view(np.uint8)  # (D, R, N)
            bits *= _POWERS
            leaves = np.add.reduce(bits, axis=0, dtype=np.uint8)
            total += np.add.reduce(self.values.ravel()[leaves + starts], axis=0)
        return total


def none() -> Trees:
    """No trees: zero everywhere."""
    return Trees(
        0.0, np.zeros((0, DEPTH), np.int16), np.zeros((0, DEPTH), np.float32), np.zeros((0, 2**DEPTH), np.float32)
    )


def fit(
    x: Array, target: Floats, rng: np.random.Generator, *, count: int = TREES, deadline: float | None = None
) -> Trees:
    """Trees for rows x (N, F) and what they should say (N,); as many as the deadline leaves time for."""
    edges = [np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])) for column in x.T]
    binned = np.stack([np.searchsorted(edge, column) for edge, column in zip(edges, x.T, strict=True)])  # (F, N)
    binned = binned.astype(np.int32)
    start = float(np.median(target))
    residual = target - start
    columns, thresholds = np.zeros((count, DEPTH), np.int16), np.zeros((count, DEPTH), np.float32)
    values = np.zeros((count, 2**DEPTH), np.float32)
    drawn = max(1, min(ROWS, round(ROWS_SHARE * len(x))))
    for tree in range(count):
        if optim.over(deadline):
            count = tree
            break
        rows = rng.integers(0, len(x), drawn)
        asked = rng.permutation(len(edges))[: max(1, round(COLUMNS_SHARE * len(edges)))]
        questions = _grow(binned, np.sign(residual), rows, asked)
        leaves = _leaves(binned, questions)
        values[tree] = RATE * _medians(leaves, residual)
        residual = residual - values[tree][leaves]
        columns[tree] = [column for column, _ in questions]
        thresholds[tree] = [_threshold(edges[column], cut) for column, cut in questions]
    return Trees(start, columns[:count], thresholds[:count], values[:count])


def _grow(
    binned: NDArray[np.int32], signs: Floats, rows: NDArray[np.intp], asked: NDArray[np.intp]
) -> list[tuple[int, int]]:
    """The questions of a tree, column and cut (is the bin above it?), each the best for all nodes of its depth."""
    weights = _ONE + signs[rows]
    drawn = [binned[column][rows] for column in asked]
    leaves = np.zeros(len(rows), np.int32)
    questions = []
    for depth in range(DEPTH):
        nodes = 1 << depth
        sums = [np.bincount(leaves * BINS + column, weights, nodes * BINS) for column in drawn]
        number, cut = _best(np.array(sums, np.float64).reshape(len(drawn), nodes, BINS))
        questions.append((int(asked[number]), cut))
        leaves = 2 * leaves + (drawn[number] > cut)
    return questions


def _best(sums: Floats) -> tuple[int, int]:
    """The column and cut that leave the largest sums of signs on both sides; sums (F, nodes, K) of _ONE + sign."""
    counts = np.rint(sums / _ONE)
    below, signs = np.cumsum(counts, axis=2), np.cumsum(sums - counts * _ONE, axis=2)
    above, others = below[:, :, -1:] - below, signs[:, :, -1:] - signs
    gain = (signs**2 / (below + GAIN_DOUBT) + others**2 / (above + GAIN_DOUBT)).sum(axis=1)  # (F, K)
    number, cut = np.unravel_index(np.argmax(gain[:, :-1]), (len(gain), BINS - 1))
    return int(number), int(cut)


def _leaves(binned: NDArray[np.int32], questions: list[tuple[int, int]]) -> NDArray[np.intp]:
    leaves = np.zeros(binned.shape[1], np.intp)
    for column, cut in questions:
        leaves = 2 * leaves + (binned[column] > cut)
    return leaves


def _medians(leaves: NDArray[np.intp], residual: Floats) -> Floats:
    """Median residual of each leaf (2 ** D,), shrunk to zero where a leaf holds few."""
    ordered = residual[np.lexsort((residual, leaves))]
    counts = np.bincount(leaves, minlength=2**DEPTH)
    first = np.minimum(np.cumsum(counts) - counts, len(residual) - 1)
    middle = (
        ordered[first + np.maximum(counts - 1, 0) // 2] + ordered[np.minimum(first + counts // 2, len(residual) - 1)]
    ) / 2
    shrunk: Floats = middle * counts / (counts + LEAF_DOUBT)
    return shrunk


def _threshold(edges: Array, cut: int) -> float:
    """The value that a column is above where its bin is above cut; a cut beyond the last bin asks nothing."""
    return float(edges[cut]) if cut < len(edges) else BEYOND
