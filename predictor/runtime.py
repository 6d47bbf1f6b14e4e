"""The runtime model: submissions in, milliseconds with a range and the chance of a failure out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from predictor import features, guard, lstm, network, trees
from predictor.features import CANDIDATES, SUMMARIES, Features, Submission
from predictor.guard import Guard
from predictor.history import Floats
from predictor.lstm import Array, Params
from predictor.memory import Memory, Run
from predictor.trees import Trees

__all__ = ["Memory", "Prediction", "Run", "RuntimeModel", "Submission"]

_TREES = CANDIDATES.index("trees")
AT_ONCE = 250  # submissions whose arrays fit into the cache of a core
SUMMARY_LIMIT = 5.0  # standard deviations: an input far outside what was trained on must not take over


class Prediction(NamedTuple):
    """Milliseconds, within one millisecond and seven days, with low_ms <= ms <= high_ms."""

    ms: float  # p50
    low_ms: float  # p10
    high_ms: float  # p90
    failure_probability: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class RuntimeModel:
    """Weights and what is needed to use them. Threads may share one: nothing changes after it is made."""

    params: Params
    summary_mean: Array  # (SUMMARIES,)
    summary_scale: Array  # (SUMMARIES,): one over the standard deviation
    trees: Trees
    guard: Guard
    learned_until: float = 0.0  # seconds since the epoch: the newest end it has learned from
    fused: lstm.Fused = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fused", lstm.fuse(network.lstm_params(self.params)))

    def predict(self, submissions: Sequence[Submission]) -> list[Prediction]:
        """A prediction for each submission, in few passes of the network. Odd values in one never raise."""
        parts = (submissions[at : at + AT_ONCE] for at in range(0, len(submissions), AT_ONCE))
        return [prediction for part in parts for prediction in self._predict(part)]

    def _predict(self, submissions: Sequence[Submission]) -> list[Prediction]:
        given = self.complete(features.build(submissions))
        output = self.output(given)
        milliseconds = np.exp(self.guard.apply(output.quantiles, given)).tolist()
        return [
            Prediction(middle, low, high, failure)
            for (low, middle, high), failure in zip(milliseconds, output.failure.tolist(), strict=True)
        ]

    def log_quantiles(self, given: Features) -> Floats:
        """p10, p50 and p90 in ln milliseconds, (B, 3), clipped to what a job may take."""
        given = self.complete(given)
        return self.guard.apply(self.output(given).quantiles, given)

    def complete(self, given: Features) -> Features:
        """The features with what the trees say among the candidates."""
        return completed(given, self.trees.predict(given.summary))

    def output(self, given: Features) -> network.Output:
        """What the network alone says of complete features."""
        return network.infer(self.params, self.fused, self.batch(given))

    def batch(self, given: Features) -> network.Batch:
        """Complete features as the network takes them: the summary standardised."""
        summary = np.empty((len(given), network.INPUTS), np.float32)
        np.multiply(given.summary - self.summary_mean, self.summary_scale, out=summary[:, :SUMMARIES])
        np.divide(given.candidates[:, _TREES], network.TREES_UNIT, out=summary[:, SUMMARIES])
        np.minimum(np.maximum(summary, -SUMMARY_LIMIT, out=summary), SUMMARY_LIMIT, out=summary)
        spread = given.spread.astype(np.float32)
        return network.Batch(given.steps, given.mask, given.slots, summary, given.candidates, spread)


def completed(given: Features, said: Floats) -> Features:
    """The features with what trees said (B,), relative to the anchor, among the candidates."""
    candidates = given.candidates.copy()
    candidates[:, _TREES] = said
    return replace(given, candidates=candidates)


def untrained(seed: int = 0) -> RuntimeModel:
    """A model that has seen nothing: own history shrunk to user, type, organisation and a default, a wide range."""
    params = network.init(np.random.default_rng(seed))
    mean, scale = np.zeros(SUMMARIES, np.float32), np.zeros(SUMMARIES, np.float32)
    return RuntimeModel(params, mean, scale, trees.none(), guard.only_anchor())
