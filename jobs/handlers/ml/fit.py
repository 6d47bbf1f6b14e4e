"""Training, by scikit-learn; what is left of it is arrays, and nothing of scikit-learn is kept."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.class_weight import compute_sample_weight

from jobs.handlers.ml import trees as ml_trees
from jobs.handlers.ml.cells import BadData, Floats
from jobs.handlers.ml.schema import CLASSIFICATION

# So often a training of many trees says how far it is, and can be stopped: each costs a look at the data.
FOREST_BATCHES, BOOSTING_BATCHES = 50, 10
MAX_NEIGHBOUR_ROWS = 50_000
MAX_NOTES = 5

Arrays = dict[str, npt.NDArray[Any]]


class Task(NamedTuple):
    """One training: of what kind, on what, and whom to tell how far it is (0 to 1) and what is odd."""

    kind: str
    problem: str
    parameters: Mapping[str, Any]
    seed: int
    x: Floats
    # Of classification the number of the class.
    y: npt.NDArray[Any]
    step: Callable[[float], None]
    note: Callable[[str], None]
    max_bytes: int

    @property
    def classifies(self) -> bool:
        return self.problem == CLASSIFICATION

    def chosen(self) -> dict[str, Any]:
        """Parameters for scikit-learn's constructor."""
        found = {name: value for name, value in self.parameters.items() if name != "class_weight"}
        if found.get("max_features") == "all":
            found["max_features"] = None
        return found

    def weights(self) -> Floats | None:
        if self.parameters.get("class_weight") is None:
            return None
        weights: Floats = compute_sample_weight("balanced", self.y)
        return weights


class Fitted(NamedTuple):
    """What a training found, and how much each column of the matrix had to do with it, where that can be said."""

    arrays: Arrays
    importance: Floats | None = None


def fit(task: Task) -> Fitted:
    if task.parameters.get("class_weight") and not task.classifies:
        raise BadData("class_weight is for classification; the target holds numbers.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = FITS[task.kind](task)
    for text in list(dict.fromkeys(str(one.message).splitlines()[0] for one in caught))[:MAX_NOTES]:
        task.note(text)
    task.step(1.0)
    return fitted


def linear(task: Task) -> Fitted:
    return lines(LinearRegression(**task.chosen()).fit(task.x, task.y))


def ridge(task: Task) -> Fitted:
    return lines(Ridge(random_state=task.seed, **task.chosen()).fit(task.x, task.y))


def logistic(task: Task) -> Fitted:
    model = LogisticRegression(random_state=task.seed, **task.chosen())
    return lines(model.fit(task.x, task.y, sample_weight=task.weights()))


def lines(model: Any) -> Fitted:
    coefficients = np.atleast_2d(model.coef_).astype(np.float64)
    intercepts = np.atleast_1d(model.intercept_).astype(np.float64)
    return Fitted({"coefficients": coefficients, "intercepts": intercepts}, np.abs(coefficients).sum(axis=0))


def naive_bayes(task: Task) -> Fitted:
    model = GaussianNB(**task.chosen()).fit(task.x, task.y)
    if not (model.var_ > 0).all():
        raise BadData("Naive Bayes needs a column whose values differ.")
    return Fitted({"means": model.theta_, "variances": model.var_, "log_priors": np.log(model.class_prior_)})


def k_neighbours(task: Task) -> Fitted:
    if len(task.x) > MAX_NEIGHBOUR_ROWS:
        raise BadData(f"k_neighbours keeps all rows it learns from: at most {MAX_NEIGHBOUR_ROWS}, not {len(task.x)}.")
    if len(task.x) < task.parameters["n_neighbors"]:
        raise BadData(f"There are fewer rows to learn from ({len(task.x)}) than n_neighbors.")
    return Fitted({"points": task.x, "targets": task.y.astype(np.float64)})


def decision_tree(task: Task) -> Fitted:
    grower = DecisionTreeClassifier if task.classifies else DecisionTreeRegressor
    model = grower(random_state=task.seed, **task.chosen()).fit(task.x, task.y, sample_weight=task.weights())
    check_size([model.tree_], task.max_bytes)
    return Fitted(ml_trees.of_grown([model.tree_]), model.feature_importances_)


def random_forest(task: Task) -> Fitted:
    grower = RandomForestClassifier if task.classifies else RandomForestRegressor
    chosen = task.chosen()
    trees = chosen.pop("n_estimators", 100)
    model = grower(random_state=task.seed, warm_start=True, **chosen)
    for count in batches(trees, FOREST_BATCHES):
        model.set_params(n_estimators=count).fit(task.x, task.y, sample_weight=task.weights())
        check_size([tree.tree_ for tree in model.estimators_], task.max_bytes)
        task.step(count / trees)
    return Fitted(ml_trees.of_grown([tree.tree_ for tree in model.estimators_]), model.feature_importances_)


def gradient_boosting(task: Task) -> Fitted:
    booster = HistGradientBoostingClassifier if task.classifies else HistGradientBoostingRegressor
    chosen = task.chosen()
    rounds = chosen.pop("max_iter", 100)
    model = booster(random_state=task.seed, warm_start=True, early_stopping=False, **chosen)
    for count in batches(rounds, BOOSTING_BATCHES):
        model.set_params(max_iter=count).fit(task.x, task.y, sample_weight=task.weights())
        task.step(count / rounds)
    # it has no public name for its trees
    arrays = ml_trees.of_boosted(model._predictors)
    arrays["baseline"] = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    return Fitted(arrays, ml_trees.gains(model._predictors, task.x.shape[1]))


def batches(count: int, most: int) -> list[int]:
    """Growing up to the count."""
    return sorted({-(-count * number // most) for number in range(1, most + 1)})


def check_size(trees: Sequence[Any], max_bytes: int) -> None:
    """Before more grow, and before they are copied."""
    size = sum(tree.node_count * (ml_trees.NODE_BYTES + 8 * tree.value.shape[2]) for tree in trees)
    if size > max_bytes:
        raise BadData(f"The model grows beyond {max_bytes} bytes: set max_depth or min_samples_leaf, or fewer trees.")


FITS: Mapping[str, Callable[[Task], Fitted]] = {
    "linear": linear,
    "ridge": ridge,
    "logistic": logistic,
    "naive_bayes": naive_bayes,
    "k_neighbours": k_neighbours,
    "decision_tree": decision_tree,
    "random_forest": random_forest,
    "gradient_boosting": gradient_boosting,
}
