"""The runtime model: submissions in, milliseconds with a range out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictor import features, network
from predictor.features import LONGEST_MS, SHORTEST_MS, SUMMARIES, Features, Run, Submission
from predictor.levels import Floats, Levels, none_known
from predictor.lstm import Array, Params

__all__ = ["Prediction", "Run", "RuntimeModel", "Submission"]

DEFAULT_MS = 2000.0  # what a model that has seen nothing says
SUMMARY_LIMIT = 5.0  # standard deviations: an input far outside what was trained on must not take over


@dataclass(frozen=True, slots=True)
class Prediction:
    """Milliseconds, within one millisecond and seven days, with low_ms <= ms <= high_ms."""

    ms: float  # p50
    low_ms: float  # p10
    high_ms: float  # p90


@dataclass(frozen=True, slots=True)
class RuntimeModel:
    """Weights and what is needed to use them. Threads may share one: nothing changes after it is made."""

    params: Params
    levels: Levels
    summary_mean: Array  # (SUMMARIES,)
    summary_scale: Array  # (SUMMARIES,): one over the standard deviation
    trust: float  # 0 to 1: how far the median may leave the anchor towards what the network says

    def predict(self, submissions: Sequence[Submission]) -> list[Prediction]:
        """A prediction for each submission, in one pass of the network. Odd values in one never raise."""
        if not submissions:
            return []
        given = features.build(submissions, self.levels)
        milliseconds = np.exp(self.log_quantiles(given)).tolist()
        return [Prediction(ms=middle, low_ms=low, high_ms=high) for low, middle, high in milliseconds]

    def log_quantiles(self, given: Features) -> Floats:
        """p10, p50 and p90 in ln milliseconds, (B, 3), clipped to what a job may take."""
        relative, _ = network.forward(self.params, self.batch(given))
        # Beside the guard, the range keeps its own width: a timid median says nothing about the spread.
        moved = relative - (1.0 - self.trust) * relative[:, 1:2]
        return np.clip(given.anchor[:, None] + moved, np.log(SHORTEST_MS), np.log(LONGEST_MS))

    def batch(self, given: Features) -> network.Batch:
        """Features as the network takes them: the summary standardised."""
        summary = (given.summary - self.summary_mean) * self.summary_scale
        np.clip(summary, -SUMMARY_LIMIT, SUMMARY_LIMIT, out=summary)
        return network.Batch(given.steps, given.mask, given.slots, summary, given.candidates)


def untrained(seed: int = 0) -> RuntimeModel:
    """A model that has seen nothing: the EWMA of a job's own history, else DEFAULT_MS."""
    params = network.init(np.random.default_rng(seed))
    mean, scale = np.zeros(SUMMARIES, np.float32), np.zeros(SUMMARIES, np.float32)
    return RuntimeModel(params, none_known(float(np.log(DEFAULT_MS))), mean, scale, trust=0.0)
