"""Makes probabilities honest: temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

Fitted on texts the model did not learn from. A few labels say little about the temperature, so it is pulled towards
what is usual by as much as some labels would pull it.
"""

from typing import NamedTuple

import numpy as np

from predictor.softmax import log_softmax
from predictor.sparse import Floats, Places

USUAL_LABELS = 10.0  # labels that count as much as what is usual
BINS = 10
_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(6.0), 61))


class Calibration(NamedTuple):
    """Probabilities are those of scores / temperature + lean * ln share, share being how frequent a label is."""

    temperature: float = 1.0
    lean: float = 0.0


def log_probabilities(scores: Floats, log_share: Floats, by: Calibration) -> Floats:
    """Of scores (N, K), with the ln of each label's share (K,): (N, K)."""
    return log_softmax(scores / np.float32(by.temperature) + np.float32(by.lean) * log_share)


def fit(scores: Floats, target: Places, log_share: Floats, leans: tuple[float, ...], usual: Calibration) -> Calibration:
    """The calibration of least loss on scores (N, K) of held-out rows with these targets (N,)."""

    def loss(tried: Calibration) -> float:
        away = (np.log(tried.temperature / usual.temperature)) ** 2 + (tried.lean - usual.lean) ** 2
        if not len(target):
            return float(away)
        chosen = log_probabilities(scores, log_share, tried)[np.arange(len(target)), target]
        return float(USUAL_LABELS * away - chosen.sum())

    return min((Calibration(float(t), lean) for lean in leans for t in _TEMPERATURES), key=loss)


def error(confidence: Floats, right: Floats) -> float:
    """Expected calibration error over BINS of equal width (Naeini et al. 2015): of confidence and 0 or 1, both (N,)."""
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, confidence - right, BINS)
    return float(np.abs(gaps).sum() / max(1, len(confidence)))
