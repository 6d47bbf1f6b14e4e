"""What stands beside the network: simple guesses that take over where they proved better, and the width of the range.

Both are chosen on held-out later runs, apart for each kind of evidence (features.EVIDENCE), so that a network that
is good where much is known is not trusted for it where nothing is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.features import CANDIDATES, EVIDENCE, Features
from predictor.history import LOG_LONGEST, LOG_SHORTEST, Floats
from predictor.lstm import Array

SIMPLE = ("trees", "anchor", "last_two", "kind_median")
SHARES = (1.0, 0.85, 0.7, 0.5, 0.25, 0.0)  # of the network, tried in this order; the first wins a tie
DOUBT = 100.0  # held-out runs of one evidence at which their own choice counts as much as that of all
NARROWEST, WIDEST = 0.2, 5.0  # what the network's range may be scaled by
GAIN = 0.002  # a share must lower the mean miss by this part to be chosen over the one before it
_COLUMNS = [CANDIDATES.index(name) for name in SIMPLE]


@dataclass(frozen=True, slots=True)
class Guard:
    """Shares and widths by evidence; E = len(EVIDENCE), S = len(SIMPLE)."""

    shares: Floats  # (E, 1 + S): of the network and of each simple guess; a row adds up to 1
    widths: Floats  # (E, 2): factors of the distance from p50 to p10 and to p90

    def apply(self, quantiles: Array, given: Features) -> Floats:
        """Guarded p10, p50, p90 in ln milliseconds (B, 3) from the network's, which are relative to the anchor."""
        shares, widths = self.shares[given.evidence], self.widths[given.evidence]
        middle = shares[:, 0] * quantiles[:, 1] + (shares[:, 1:] * given.candidates[:, _COLUMNS]).sum(axis=1)
        low = middle - widths[:, 0] * (quantiles[:, 1] - quantiles[:, 0])
        high = middle + widths[:, 1] * (quantiles[:, 2] - quantiles[:, 1])
        guarded = given.anchor[:, None] + np.stack([low, middle, high], axis=1)
        clipped: Floats = np.clip(guarded, LOG_SHORTEST, LOG_LONGEST)
        return clipped


def none() -> Guard:
    """The network as it is."""
    return Guard(np.eye(1, 1 + len(SIMPLE)).repeat(len(EVIDENCE), axis=0), np.ones((len(EVIDENCE), 2)))


def only_anchor() -> Guard:
    """The anchor, whatever the network says."""
    shares = np.zeros((len(EVIDENCE), 1 + len(SIMPLE)))
    shares[:, 1 + SIMPLE.index("anchor")] = 1.0
    return Guard(shares, np.ones((len(EVIDENCE), 2)))


def fit(quantiles: Array, given: Features, log_ms: Floats) -> Guard:
    """The guard that serves held-out runs best: the network's quantiles (N, 3) of them, and what they took (N,)."""
    target = log_ms - given.anchor
    guesses = np.column_stack([quantiles[:, 1], given.candidates[:, _COLUMNS]])
    miss = np.stack([np.abs(guesses @ mix - target) for mix in _MIXES])  # (M, N)
    overall = miss.mean(axis=1)
    groups = [np.flatnonzero(given.evidence == number) for number in range(len(EVIDENCE))]
    shares = np.stack([_choose((miss[:, of].sum(axis=1) + DOUBT * overall) / (len(of) + DOUBT)) for of in groups])
    middle = (shares[given.evidence] * guesses).sum(axis=1)
    down = (middle - target) / np.maximum(quantiles[:, 1] - quantiles[:, 0], 1e-6)
    up = (target - middle) / np.maximum(quantiles[:, 2] - quantiles[:, 1], 1e-6)
    widths = np.stack([np.array([_width(down, of), _width(up, of)]) for of in groups])
    return Guard(shares, widths)


def _mixes() -> Floats:
    """Every mix (M, 1 + S) of the network with one simple guess."""
    simple = np.eye(len(SIMPLE))
    return np.array([[share, *((1.0 - share) * one)] for share in SHARES for one in simple])


_MIXES = _mixes()


def _choose(miss: Floats) -> Floats:
    """The mix with the least miss (M,); one further from the network must earn it."""
    best = 0
    for number in range(1, len(miss)):
        if miss[number] < (1.0 - GAIN) * miss[best]:
            best = number
    chosen: Floats = _MIXES[best]
    return chosen


def _width(excess: Floats, of: NDArray[np.intp]) -> float:
    """The factor that a tenth of the excesses (N,) lie beyond: split conformal (Romano et al. 2019,
    https://arxiv.org/abs/1905.03222), scaled by the network's own range; few runs lean to those of all."""
    overall = _tenth(excess)
    own = _tenth(excess[of]) if len(of) else overall
    factor = (len(of) * own + DOUBT * overall) / (len(of) + DOUBT)
    return float(np.clip(factor, NARROWEST, WIDEST))


def _tenth(excess: Floats) -> float:
    number = len(excess)
    return float(np.quantile(excess, min(1.0, 0.9 * (number + 1) / number), method="higher"))
