"""Models that ml jobs train: what their arrays say is what scikit-learn says, before and after a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from jobs.handlers.base import Stopped
from jobs.handlers.ml import file as ml_file
from jobs.handlers.ml import fit as ml_fit
from jobs.handlers.ml.cells import BadData, Floats
from jobs.handlers.ml.columns import Column
from jobs.handlers.ml.file import Model
from jobs.handlers.ml.schema import CLASSIFICATION, DEFAULTS, KINDS, PARAMETERS, REGRESSION

MAX_BYTES = 50_000_000
PAIRS = [(kind, problem) for kind, of in KINDS.items() for problem in of.problems]
GIVEN: dict[str, dict[str, Any]] = {
    "ridge": {"alpha": 0.5},
    "logistic": {"C": 0.3},
    "k_neighbours": {"n_neighbors": 7, "weights": "distance"},
    "random_forest": {"n_estimators": 23},
    "gradient_boosting": {"max_iter": 23, "learning_rate": 0.2},
}


def made(rows: int, seed: int, problem: str, classes: int = 3, missing: bool = False) -> tuple[Floats, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 5))
    score = x[:, 0] + x[:, 1] * x[:, 2] + random.normal(scale=0.2, size=rows)
    if missing:
        x[random.random(x.shape) < 0.1] = np.nan
    cuts = np.quantile(score, np.arange(1, classes) / classes)
    return x, np.searchsorted(cuts, score) if problem == CLASSIFICATION else score


def fitted(kind: str, problem: str, x: Floats, y: Any, **fields: Any) -> Model:
    parameters = {**DEFAULTS.get(kind, {}), **GIVEN.get(kind, {}), **fields.pop("parameters", {})}
    task = ml_fit.Task(
        *(kind, problem, parameters, 3, x, y),
        **{"step": lambda part: None, "note": lambda text: None, "max_bytes": MAX_BYTES, **fields},
    )
    columns = [Column(f"x{number}", "number", None if KINDS[kind].takes_missing else 0.0) for number in range(5)]
    classes: list[Any] = [f"class {number}" for number in range(y.max() + 1)] if problem == CLASSIFICATION else []
    return Model(kind, problem, "y", columns, classes, parameters, {}, 3, len(x), ml_fit.fit(task).arrays)


def theirs(kind: str, problem: str) -> Any:
    """The same model of scikit-learn, grown in one go."""
    chosen = {**DEFAULTS.get(kind, {}), **GIVEN.get(kind, {})}
    classes = {
        "linear": (None, LinearRegression),
        "ridge": (None, Ridge),
        "logistic": (LogisticRegression, None),
        "naive_bayes": (GaussianNB, None),
        "k_neighbours": (KNeighborsClassifier, KNeighborsRegressor),
        "decision_tree": (DecisionTreeClassifier, DecisionTreeRegressor),
        "random_forest": (RandomForestClassifier, RandomForestRegressor),
        "gradient_boosting": (HistGradientBoostingClassifier, HistGradientBoostingRegressor),
    }[kind]
    found = classes[0] if problem == CLASSIFICATION else classes[1]
    assert found is not None
    if kind not in ("linear", "naive_bayes", "k_neighbours"):
        chosen["random_state"] = 3
    return found(**chosen)


def said(model: Any, problem: str, x: Floats) -> Floats:
    return model.predict_proba(x) if problem == CLASSIFICATION else model.predict(x).reshape(-1, 1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("kind", "problem"), PAIRS)
def test_its_arrays_say_what_scikit_learn_says(kind: str, problem: str, classes: int) -> None:
    missing = KINDS[kind].takes_missing
    x, y = made(400, 1, problem, classes, missing)
    new, _ = made(200, 2, problem, classes, missing)

    ours = fitted(kind, problem, x, y).outputs(new)

    expected = said(theirs(kind, problem).fit(x, y), problem, new)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pair=st.sampled_from(PAIRS),
    rows=st.integers(30, 120),
    seed=st.integers(0, 10_000),
    classes=st.integers(2, 4),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_a_model_from_its_file_says_exactly_the_same(
    tmp_path: Path, pair: tuple[str, str], rows: int, seed: int, classes: int, scale: float
) -> None:
    kind, problem = pair
    x, y = made(rows, seed, problem, classes)
    model = fitted(
        kind, problem, x * scale, y, parameters={"max_depth": 5} if "max_depth" in DEFAULTS.get(kind, {}) else {}
    )
    new = made(50, seed + 1, problem)[0] * scale

    ml_file.save(model, tmp_path / "model.zip")
    loaded = ml_file.load(tmp_path / "model.zip", MAX_BYTES)

    assert np.array_equal(loaded.outputs(new), model.outputs(new))
    assert (loaded.columns, loaded.classes, loaded.parameters) == (model.columns, model.classes, model.parameters)


@pytest.mark.parametrize(("kind", "problem"), PAIRS)
def test_the_same_seed_makes_the_same_bytes(kind: str, problem: str, tmp_path: Path) -> None:
    x, y = made(200, 4, problem)
    for name in ("one", "two"):
        ml_file.save(fitted(kind, problem, x.copy(), y.copy()), tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("kind", ["random_forest", "gradient_boosting"])
def test_many_trees_say_how_far_they_are_and_stop_when_asked(kind: str) -> None:
    x, y = made(200, 4, REGRESSION)
    steps: list[float] = []

    def step(part: float) -> None:
        steps.append(part)
        if len(steps) == 4:
            raise Stopped("cancelled")

    with pytest.raises(Stopped):
        fitted(kind, REGRESSION, x, y, step=step, parameters={})

    assert steps == sorted(set(steps))
    assert 0 < steps[0] < steps[-1] < 1


@pytest.mark.parametrize("kind", ["logistic", "decision_tree", "random_forest", "gradient_boosting"])
def test_balanced_classes_count_alike(kind: str) -> None:
    x, y = made(300, 6, CLASSIFICATION, 2)
    rare = (y == 1) & (np.arange(300) % 10 > 0)
    x, y = x[~rare], y[~rare]

    plain = fitted(kind, CLASSIFICATION, x, y, parameters={"max_depth": 2} if kind != "logistic" else {})
    balanced = fitted(
        kind,
        CLASSIFICATION,
        x,
        y,
        parameters={"class_weight": "balanced", **({"max_depth": 2} if kind != "logistic" else {})},
    )

    new = made(300, 7, CLASSIFICATION, 2)[0]
    assert balanced.outputs(new)[:, 1].mean() > plain.outputs(new)[:, 1].mean() + 0.1


def test_trees_that_grow_too_large_are_given_up() -> None:
    x, y = made(400, 1, REGRESSION)
    with pytest.raises(BadData, match="max_depth"):
        fitted("random_forest", REGRESSION, x, y, max_bytes=20_000)


def test_every_parameter_is_of_some_kind_and_taken_by_it() -> None:
    assert {name for kind in KINDS.values() for name in kind.parameters} == set(PARAMETERS)
    for kind, problem in PAIRS:
        taken = {"class_weight", *theirs(kind, problem).get_params()}
        assert set(KINDS[kind].parameters) <= taken
