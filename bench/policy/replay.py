"""A trace through the predictor as it is used: what ended is remembered, trained on when due, and predicted from."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from predictor import features, scoring
from predictor.examples import LogRow, seconds
from predictor.features import CANDIDATES, Features, Submission
from predictor.history import DEFAULT_MS, Floats
from predictor.online import Ended, Learner
from predictor.train import Lesson, prepare


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was said of each of N jobs at its submit, in ln milliseconds, and what it took."""

    said: dict[str, Floats]  # (N,) by predictor
    low: Floats  # (N,): p10
    high: Floats  # (N,): p90
    actual: Floats  # (N,)
    first: Floats  # (N,): 1 where no run of its user and kind had ended
    trained: int
    promoted: int


class Replay:
    """One pass over the jobs of a trace, open loop: a run becomes known at its submit plus its runtime."""

    def __init__(self, rows: Sequence[LogRow], *, trees: bool = True) -> None:
        self.rows = rows
        self.learner = Learner()
        self.trees: HistGradientBoostingRegressor | None = None
        self.with_trees = trees
        self.waiting: list[tuple[int, Submission]] = []
        self.quantiles = np.zeros((len(rows), 3))
        self.first = np.zeros(len(rows))
        self.said: dict[str, Floats] = {}

    def run(self) -> Replayed:
        running: list[tuple[float, int, Submission]] = []
        for number, row in enumerate(self.rows):
            at = seconds(row.submitted_at)
            while running and running[0][0] < at:
                ended, which, job = heapq.heappop(running)
                self.end(job, ended, self.rows[which].runtime_ms or 0.0)
            job = self.learner.submission(
                type=row.type,
                name=row.name,
                user=row.user,
                payload_bytes=row.payload_bytes,
                at=at,
                requested_ms=row.requested_ms,
            )
            self.waiting.append((number, job))
            heapq.heappush(running, (at + (row.runtime_ms or 0.0) / 1000.0, number, job))
        self.predict()
        actual = np.log([row.runtime_ms or 1.0 for row in self.rows])
        low, high = self.quantiles[:, 0], self.quantiles[:, 2]
        return Replayed(self.said, low, high, actual, self.first, self.learner.trained, self.learner.promoted)

    def end(self, job: Submission, ended: float, runtime_ms: float) -> None:
        self.learner.remember(Ended(job, ended, runtime_ms))
        if self.learner.due():
            # Those submitted before are predicted by what was known then.
            self.predict()
            if self.with_trees:
                self.trees = grown(prepare(self.learner.examples))
            self.learner.learn()

    def predict(self) -> None:
        if not self.waiting:
            return
        where = [number for number, _ in self.waiting]
        given = features.build([job for _, job in self.waiting])
        self.quantiles[where] = self.learner.model.log_quantiles(given)
        self.first[where] = given.evidence < 2
        trees = given.anchor + self.trees.predict(inputs(given)) if self.trees else given.anchor
        answers = {"constant": np.full(len(given), np.log(DEFAULT_MS)), **scoring.baselines(given), "trees": trees}
        for name, values in {**answers, "ours": self.quantiles[where][:, 1]}.items():
            self.said.setdefault(name, np.zeros(len(self.rows)))[where] = values
        self.waiting.clear()


def grown(lesson: Lesson) -> HistGradientBoostingRegressor:
    """scikit-learn's boosted trees of ln runtime, relative to the anchor, by absolute error."""
    trees = HistGradientBoostingRegressor(loss="absolute_error", random_state=0)
    return trees.fit(inputs(lesson.given), lesson.log_ms - lesson.given.anchor)


def inputs(given: Features) -> Floats:
    """All that the network is told in numbers: the summary, and the simple guesses without our own trees'."""
    return np.concatenate([given.summary, given.candidates[:, : len(CANDIDATES) - 1]], axis=1)
