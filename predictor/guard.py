"""What stands beside the network: simple guesses that take over where they proved better, and the width of the range.

Both are chosen on held-out later runs, apart for each kind of evidence (features.EVIDENCE), so that a network that
is good where much is known is not trusted for it where nothing is.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from predictor.features import CANDIDATES, EVIDENCE, Features
from predictor.history import LOG_LONGEST, LOG_SHORTEST, Floats, clip
from predictor.lstm import Array

SIMPLE = ("trees", "anchor", "last_two", "kind_median")
SHARES = (0.8, 0.6, 0.4, 0.2, 0.0)  # of network and trees together beside a simple guess
DOUBT = 100.0  # held-out runs of one evidence at which their own choice counts as much as that of all
NARROWEST, WIDEST = 0.2, 5.0  # what the network's range may be scaled by
PACE = 2.0  # of the adaptation: a miss of all above what is due widens by a factor of six
SLACK = (0.5, 4.0)  # within which it stays
GAIN = 0.01  # a mix must lower the mean miss by this part to be chosen over the usual one
_COLUMNS = np.array([CANDIDATES.index(name) for name in SIMPLE])


@dataclass(frozen=True, slots=True)
class Guard:
    """Shares and widths by evidence; E = len(EVIDENCE), S = len(SIMPLE)."""

    shares: Floats  # (E, 1 + S): of the network and of each simple guess; a row adds up to 1
    widths: Floats  # (E, 2): factors of the distance from p50 to p10 and to p90
    slack: Floats  # (2,): factors on top, from how later runs fell beside the ranges given
    scales: Floats = field(init=False, repr=False, compare=False)  # (E, 3): both, and 1 for p50 between them

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", np.insert(self.widths * self.slack, 1, 1.0, axis=1))

    def apply(self, quantiles: Array, given: Features) -> Floats:
        """Guarded p10, p50, p90 in ln milliseconds (B, 3) from the network's, which are relative to the anchor."""
        guesses = np.concatenate([quantiles[:, 1:2], given.candidates[:, _COLUMNS]], axis=1)
        middle = np.einsum("bs,bs->b", self.shares[given.evidence], guesses) + given.anchor
        distances = (quantiles - quantiles[:, 1:2]) * self.scales[given.evidence]
        return clip(middle[:, None] + distances, LOG_SHORTEST, LOG_LONGEST)


def none() -> Guard:
    """The network as it is."""
    return Guard(np.eye(1, 1 + len(SIMPLE)).repeat(len(EVIDENCE), axis=0), np.ones((len(EVIDENCE), 2)), np.ones(2))


def only_anchor() -> Guard:
    """The anchor, whatever the network says."""
    shares = np.zeros((len(EVIDENCE), 1 + len(SIMPLE)))
    shares[:, 1 + SIMPLE.index("anchor")] = 1.0
    return Guard(shares, np.ones((len(EVIDENCE), 2)), np.ones(2))


def fit(quantiles: Array, given: Features, log_ms: Floats, slack: Floats) -> Guard:
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
    return Guard(shares, widths, slack)


def adapted(slack: Floats, quantiles: Floats, log_ms: Floats) -> Floats:
    """The slack (2,) after runs that came later than the model: quantiles (N, 3) it gave, and what they took (N,).

    Held-out runs come before those that are predicted; where times change, a range that held those is too narrow.
    Adaptive conformal inference (Gibbs and Candes 2021, https://arxiv.org/abs/2106.00170), a step a training.
    """
    missed = np.array([np.mean(log_ms < quantiles[:, 0]), np.mean(log_ms > quantiles[:, 2])])
    moved: Floats = np.clip(slack * np.exp(PACE * (missed - 0.1)), *SLACK)
    return moved


def _mixes() -> Floats:
    """Every mix (M, 1 + S): network and trees alike, the usual; then with less of both; then either alone."""
    both = np.array([0.5, 0.5, *[0.0] * (len(SIMPLE) - 1)])
    one = np.eye(1 + len(SIMPLE))
    lesser = [share * both + (1.0 - share) * simple for share in SHARES for simple in one[2:]]
    return np.stack([both, *lesser, one[0], one[1]])


_MIXES = _mixes()


def _choose(miss: Floats) -> Floats:
    """The mix with the least miss (M,); any but the usual must earn it."""
    best = int(np.argmin(miss))
    chosen: Floats = _MIXES[best if miss[best] < (1.0 - GAIN) * miss[0] else 0]
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
