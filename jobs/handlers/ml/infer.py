"""What a model says of rows: from its arrays, with NumPy alone. The only way that any model of ours is asked."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.handlers.ml import trees as ml_trees
from jobs.handlers.ml.cells import Floats
from jobs.handlers.ml.schema import CLASSIFICATION

PIECE_ROWS = 20_000
# Distances that are held at once.
PIECE_DISTANCES = 4_000_000

Arrays = Mapping[str, npt.NDArray[Any]]
# By name the type of an array and its shape: numbers, or names of sizes that must agree.
Shapes = Mapping[str, tuple[str, tuple[int | str, ...]]]


def outputs(kind: str, problem: str, classes: int, parameters: Mapping[str, Any], arrays: Arrays, x: Floats) -> Floats:
    """A column: the number; or for each class its probability."""
    if problem == CLASSIFICATION:
        return CLASSIFIES[kind](arrays, x, parameters, classes)
    return REGRESSES[kind](arrays, x, parameters)


def pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, PIECE_ROWS):
        yield slice(start, min(start + PIECE_ROWS, count))


def lines(arrays: Arrays, x: Floats) -> Floats:
    found: Floats = x @ arrays["coefficients"].T + arrays["intercepts"]
    return found


def logistic(arrays: Arrays, x: Floats, parameters: Mapping[str, Any], classes: int) -> Floats:
    return probabilities(lines(arrays, x))


def probabilities(raw: Floats) -> Floats:
    """One column says how likely the second of two classes is; more are a softmax."""
    if raw.shape[1] == 1:
        second = np.exp(-np.logaddexp(0.0, -raw))
        return np.hstack([1.0 - second, second])
    return softmax(raw)


def softmax(raw: Floats) -> Floats:
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    found: Floats = grown / grown.sum(axis=1, keepdims=True)
    return found


def naive_bayes(arrays: Arrays, x: Floats, parameters: Mapping[str, Any], classes: int) -> Floats:
    columns = [
        prior - 0.5 * np.log(2.0 * np.pi * variances).sum() - 0.5 * ((x - means) ** 2 / variances).sum(axis=1)
        for prior, means, variances in zip(arrays["log_priors"], arrays["means"], arrays["variances"], strict=True)
    ]
    return softmax(np.column_stack(columns))


def nearest(arrays: Arrays, x: Floats, parameters: Mapping[str, Any]) -> Iterator[tuple[Floats, Floats]]:
    """For some rows at a time: the targets of their nearest points, and what each counts."""
    points, targets = arrays["points"], arrays["targets"]
    count = parameters["n_neighbors"]
    squares = (points**2).sum(axis=1)
    step = max(PIECE_DISTANCES // len(points), 1)
    for start in range(0, len(x), step):
        some = x[start : start + step]
        rough = squares - 2.0 * (some @ points.T)
        near = np.argpartition(rough, count - 1, axis=1)[:, :count]
        away = np.sqrt(((some[:, None, :] - points[near]) ** 2).sum(axis=2))
        yield targets[near], weights(away, parameters["weights"])


def weights(away: Floats, way: str) -> Floats:
    if way == "uniform":
        return np.ones_like(away)
    same = away == 0.0
    with np.errstate(divide="ignore"):
        by_distance = 1.0 / away
    return np.where(same.any(axis=1, keepdims=True), same.astype(np.float64), by_distance)


def neighbours_vote(arrays: Arrays, x: Floats, parameters: Mapping[str, Any], classes: int) -> Floats:
    found = [np.zeros((0, classes))]
    for targets, counts in nearest(arrays, x, parameters):
        votes = np.column_stack([(counts * (targets == number)).sum(axis=1) for number in range(classes)])
        found.append(votes / votes.sum(axis=1, keepdims=True))
    return np.concatenate(found)


def neighbours_mean(arrays: Arrays, x: Floats, parameters: Mapping[str, Any]) -> Floats:
    found = [np.zeros((0, 1))]
    for targets, counts in nearest(arrays, x, parameters):
        found.append(((targets * counts).sum(axis=1) / counts.sum(axis=1)).reshape(-1, 1))
    return np.concatenate(found)


CLASSIFIES: Mapping[str, Callable[[Arrays, Floats, Mapping[str, Any], int], Floats]] = {
    "logistic": logistic,
    "naive_bayes": naive_bayes,
    "k_neighbours": neighbours_vote,
    "decision_tree": lambda arrays, x, parameters, classes: ml_trees.forest(arrays, x),
    "random_forest": lambda arrays, x, parameters, classes: ml_trees.forest(arrays, x),
    "gradient_boosting": lambda arrays, x, parameters, classes: probabilities(ml_trees.boosted(arrays, x)),
}
REGRESSES: Mapping[str, Callable[[Arrays, Floats, Mapping[str, Any]], Floats]] = {
    "linear": lambda arrays, x, parameters: lines(arrays, x),
    "ridge": lambda arrays, x, parameters: lines(arrays, x),
    "k_neighbours": neighbours_mean,
    "decision_tree": lambda arrays, x, parameters: ml_trees.forest(arrays, x),
    "random_forest": lambda arrays, x, parameters: ml_trees.forest(arrays, x),
    "gradient_boosting": lambda arrays, x, parameters: ml_trees.boosted(arrays, x),
}


# --- arrays of a file ------------------------------------------------------------------------------------------------


def shapes(kind: str, classes: int, width: int) -> Shapes:
    """The arrays a model has; without classes (0) it says numbers."""
    lines_out = 1 if classes <= 2 else classes
    if kind in ("linear", "ridge", "logistic"):
        return {"coefficients": ("<f8", (lines_out, width)), "intercepts": ("<f8", (lines_out,))}
    if kind == "naive_bayes":
        of_class = ("<f8", (classes, width))
        return {"means": of_class, "variances": of_class, "log_priors": ("<f8", (classes,))}
    if kind == "k_neighbours":
        return {"points": ("<f8", ("rows", width)), "targets": ("<f8", ("rows",))}
    whole, real = ("<i4", ("nodes",)), ("<f8", ("nodes",))
    values = 1 if kind == "gradient_boosting" else max(classes, 1)
    found: dict[str, tuple[str, tuple[int | str, ...]]] = {
        "roots": ("<i4", ("trees",)),
        **dict.fromkeys(("feature", "left", "right"), whole),
        "threshold": real,
        "missing_left": ("|i1", ("nodes",)),
        "value": ("<f8", ("nodes", values)),
    }
    return found | ({"baseline": ("<f8", (lines_out,))} if kind == "gradient_boosting" else {})


def fault(kind: str, classes: int, width: int, parameters: Mapping[str, Any], arrays: Arrays) -> str | None:
    """What keeps arrays of the right shapes from being a model of this kind."""
    for name, array in arrays.items():
        # a threshold beyond all numbers parts those that are missing
        wrong = np.isnan(array) if name == "threshold" else ~np.isfinite(array)
        if wrong.any():
            return f"{name} holds what is no number"
    if kind == "naive_bayes" and (arrays["variances"] <= 0).any():
        return "a variance is not above 0"
    if kind == "k_neighbours":
        return neighbours_fault(classes, parameters, arrays)
    return ml_trees.fault(arrays, width) if "roots" in arrays else None


def neighbours_fault(classes: int, parameters: Mapping[str, Any], arrays: Arrays) -> str | None:
    if not 1 <= parameters["n_neighbors"] <= len(arrays["points"]):
        return "there are fewer points than neighbours"
    if classes and not np.isin(arrays["targets"], np.arange(classes)).all():
        return "a target is no class"
    return None
