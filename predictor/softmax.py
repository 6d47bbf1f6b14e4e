"""Multinomial logistic regression on sparse rows: several label sets ("heads") over the same features.

All heads are fitted together, since reading the features is what costs. Each has an L2 penalty and a weight for each
row and label of its own; a row without a label in a head weighs nothing there.
"""

from dataclasses import dataclass

import numpy as np

from predictor import lbfgs
from predictor.sparse import Floats, Places, Sparse, sparse


@dataclass(frozen=True, slots=True)
class Head:
    """One label set over N rows."""

    target: Places  # (N,), -1 where there is none
    weight: Floats  # (N,), 0 where there is no target
    offset: Floats  # (N, K): what speaks for each label before anything is learned
    penalty: float


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows (N, V), the same turned over, and heads whose columns stand side by side."""

    rows: Sparse
    columns: Sparse
    heads: tuple[Head, ...]

    def loss(self, weights: Floats) -> tuple[float, Floats]:
        """Weighted negative log likelihood plus penalties of weights (V + 1, all K), the last row the bias."""
        scores = self.rows.dot(weights[:-1]) + weights[-1]
        loss, dscores, start = 0.0, np.empty_like(scores), 0
        slope = np.empty_like(weights)
        for head in self.heads:
            part = slice(start, start + head.offset.shape[1])
            miss, dscores[:, part] = cross_entropy(scores[:, part] + head.offset, head.target, head.weight)
            own = weights[:, part]
            loss += miss + 0.5 * head.penalty * float(np.vdot(own, own))
            slope[:, part] = head.penalty * own
            start = part.stop
        slope[:-1] += self.columns.dot(dscores)
        slope[-1] += dscores.sum(axis=0)
        return loss, slope

    def scale(self) -> Floats:
        """One over about the diagonal of the Hessian: (V + 1, all K). Frequent features bend the loss most."""
        rows = np.ones((self.rows.height, 1), np.float32)
        total = np.append(self.columns.squared().dot(rows), np.float32(self.rows.height))
        return np.concatenate([_scale(head, total) for head in self.heads], axis=1)


def problem(
    rows: int, columns: int, texts: Places, features: Places, values: Floats, heads: tuple[Head, ...]
) -> Problem:
    """Of entries (F,): row texts, column features."""
    return Problem(sparse(rows, texts, features, values), sparse(columns, features, texts, values), heads)


def _scale(head: Head, total: Floats) -> Floats:
    """Of one head, from the squares of each feature's values summed up (V + 1,): (V + 1, K)."""
    kinds = head.offset.shape[1]
    # p (1 - p) of a label that is right once in `kinds` times, for rows as they weigh on average.
    bend = head.weight.mean() * (kinds - 1.0) / kinds**2 if len(head.weight) else 0.0
    inverse = (1.0 / (bend * total + head.penalty)).astype(np.float32)
    return np.repeat(inverse[:, None], kinds, axis=1)


def fit(given: Problem, start: Floats, *, steps: int, deadline: float | None = None) -> Floats:
    """The weights (V + 1, all K) of least loss, or the best met until steps or deadline (time.monotonic()) ran out."""
    found = lbfgs.minimise(given.loss, start, scale=given.scale(), steps=steps, deadline=deadline)
    return found.astype(np.float32, copy=False)


def cross_entropy(scores: Floats, target: Places, weight: Floats) -> tuple[float, Floats]:
    """Weighted sum over rows of -ln p(target), and its gradient (N, K); scores (N, K)."""
    logs = log_softmax(scores)
    rows = np.arange(len(scores))
    loss = -float(np.dot(weight, logs[rows, target]))
    slope = np.exp(logs) * weight[:, None]
    slope[rows, target] -= weight
    return loss, slope


def log_softmax(scores: Floats) -> Floats:
    """ln of the probabilities of each row."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
