"""How far predictions are from what jobs took, and what the simple predictors would have said."""

import numpy as np
from numpy.typing import NDArray

from predictor.features import CANDIDATES, Features
from predictor.history import Floats
from predictor.lstm import Array


def errors(predicted: Floats, actual: Floats) -> dict[str, float]:
    """Median absolute percentage error, mean |log2 ratio|, share within twofold, of ln milliseconds (N,)."""
    distance = np.abs(predicted - actual)
    percentage = np.abs(np.expm1(np.minimum(predicted - actual, 50.0)))
    return {
        "mdape": float(np.median(percentage)),
        "malr": float(distance.mean() / np.log(2.0)),
        "within_2x": float((distance <= np.log(2.0)).mean()),
    }


def coverage(low: Floats, high: Floats, actual: Floats) -> float:
    """Share of actual (N,) within low and high."""
    return float(((low <= actual) & (actual <= high)).mean())


def brier(probability: Array, happened: Array) -> float:
    """Mean squared error of probabilities (N,) for what happened, 0 or 1 (Brier 1950)."""
    return float(np.mean((probability - happened) ** 2))


def spearman(predicted: Floats, actual: Floats) -> float:
    """Correlation of the ranks of two (N,), ties sharing theirs; 0 where either is constant."""
    one, other = ranks(predicted), ranks(actual)
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else 0.0


def ranks(values: Floats) -> Floats:
    """Rank of each value (N,), from 1; equal values get the mean of their ranks."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = (ends - (counts - 1) / 2.0)[where]
    return mean


def baselines(given: Features) -> dict[str, Floats]:
    """What the simple predictors say, in ln milliseconds (N,).

    `ewma` is the log-EWMA of a job's own runs backed off to wider levels (memory.typical_ms), `last_two` the mean of
    its last two (Tsafrir et al. 2007, https://doi.org/10.1109/TPDS.2007.70606), `type_median` the median of its kind's
    newest runs, the latter two with the first as fallback where there are none.
    """
    ahead = {"last_two": "last_two", "type_median": "kind_median"}
    columns = {name: given.candidates[:, CANDIDATES.index(of)] for name, of in ahead.items()}
    return {"ewma": given.anchor, **{name: given.anchor + column for name, column in columns.items()}}


def score(
    quantiles: Floats, failure: Array, given: Features, actual: Floats, failed: Array
) -> dict[str, float | dict[str, float]]:
    """Every figure of quantiles (N, 3) and failure probabilities (N,), and the errors of each simple predictor."""
    return {
        **errors(quantiles[:, 1], actual),
        "spearman": spearman(quantiles[:, 1], actual),
        "p10_p90_coverage": coverage(quantiles[:, 0], quantiles[:, 2], actual),
        "failure_brier": brier(failure, failed),
        **{name: errors(predicted, actual) for name, predicted in baselines(given).items()},
    }


def macro_f1(chosen: NDArray[np.intp], actual: NDArray[np.intp]) -> float:
    """The mean over all labels met of the harmonic mean of precision and recall; both (N,), N at least 1."""
    kinds = int(max(chosen.max(), actual.max())) + 1
    hits = np.bincount(actual[chosen == actual], minlength=kinds)
    met = np.bincount(chosen, minlength=kinds) + np.bincount(actual, minlength=kinds)
    return float((2.0 * hits[met > 0] / met[met > 0]).mean())
