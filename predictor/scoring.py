"""How good predictions are, and the simple predictors they must beat."""

import numpy as np
from numpy.typing import NDArray

from predictor.features import CANDIDATES, Features
from predictor.levels import Floats


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


def baselines(given: Features, type_medians: Floats) -> dict[str, Floats]:
    """What the simple predictors say, in ln milliseconds (N,).

    `ewma` is the log-EWMA of a job's own runs and `last_two` the mean of its last two (Tsafrir et al. 2007,
    https://doi.org/10.1109/TPDS.2007.70606), both with the model's own fallback where there are none;
    `type_median` is type_medians as given.
    """
    last_two = given.anchor + given.candidates[:, CANDIDATES.index("last_two")]
    return {"ewma": given.anchor, "last_two": last_two, "type_median": type_medians}


def score(quantiles: Floats, actual: Floats, simple: dict[str, Floats]) -> dict[str, float | dict[str, float]]:
    """Errors of the p50 in quantiles (N, 3) and of each simple predictor by name; coverage of the range."""
    metrics: dict[str, float | dict[str, float]] = {**errors(quantiles[:, 1], actual)}
    metrics |= {name: errors(predicted, actual) for name, predicted in simple.items()}
    metrics["p10_p90_coverage"] = coverage(quantiles[:, 0], quantiles[:, 2], actual)
    return metrics


def macro_f1(chosen: NDArray[np.intp], actual: NDArray[np.intp]) -> float:
    """The mean over all labels met of the harmonic mean of precision and recall; both (N,), N at least 1."""
    kinds = int(max(chosen.max(), actual.max())) + 1
    hits = np.bincount(actual[chosen == actual], minlength=kinds)
    met = np.bincount(chosen, minlength=kinds) + np.bincount(actual, minlength=kinds)
    return float((2.0 * hits[met > 0] / met[met > 0]).mean())
