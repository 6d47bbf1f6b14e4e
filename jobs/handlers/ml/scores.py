"""How good a model is: which rows it is tried on, and what is made of what it says."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from jobs.handlers.ml.cells import BadData, Floats
from jobs.handlers.ml.columns import Index
from jobs.handlers.ml.file import Label
from jobs.handlers.ml.schema import CLASSIFICATION, METRICS

Scores = dict[str, float | None]
Target = npt.NDArray[Any]


def chosen_metrics(asked: Sequence[str], problem: str) -> list[str]:
    if strangers := [name for name in asked if name not in METRICS[problem]]:
        raise BadData(f"{', '.join(strangers)} cannot be told of {problem}; there are: {', '.join(METRICS[problem])}.")
    return [name for name in METRICS[problem] if not asked or name in asked]


def scores(names: Sequence[str], problem: str, classes: int, truth: Target, outputs: Floats) -> Scores:
    """None for what these rows cannot tell. A truth of -1 is a class that the model does not know."""
    if problem == CLASSIFICATION:
        return class_scores(names, classes, truth, outputs)
    said = outputs[:, 0]
    found: Mapping[str, Any] = {
        "mae": lambda: mean_absolute_error(truth, said),
        "rmse": lambda: mean_squared_error(truth, said) ** 0.5,
        "r2": lambda: r2_score(truth, said) if len(truth) > 1 else None,
    }
    return {name: number(found[name]()) for name in names}


def class_scores(names: Sequence[str], classes: int, truth: Target, outputs: Floats) -> Scores:
    said = outputs.argmax(axis=1)
    known = bool((truth >= 0).all())
    both = classes == 2 and known and len(np.unique(truth)) == 2
    found: Mapping[str, Any] = {
        "accuracy": lambda: accuracy_score(truth, said),
        "f1_macro": lambda: f1_score(truth, said, average="macro", zero_division=0),
        "roc_auc": lambda: roc_auc_score(truth, outputs[:, 1]) if both else None,
        "log_loss": lambda: log_loss(truth, outputs, labels=np.arange(classes)) if known else None,
    }
    return {name: number(found[name]()) for name in names}


def number(value: Any) -> float | None:
    return None if value is None else float(value)


def mean_and_deviation(folds: Sequence[Scores], names: Sequence[str]) -> tuple[Scores, Scores]:
    mean: Scores = {}
    deviation: Scores = {}
    for name in names:
        values = [value for scores in folds if (value := scores[name]) is not None]
        mean[name] = float(np.mean(values)) if values else None
        deviation[name] = float(np.std(values)) if values else None
    return mean, deviation


# --- which rows ------------------------------------------------------------------------------------------------------


def apart(rows: int, share: float, seed: int, truth: Target, classes: Sequence[Label]) -> tuple[Index, Index]:
    """The rows to learn from, and those kept for a test; of each class its share."""
    every = np.arange(rows)
    if not share:
        return every, every[:0]
    if classes:
        check_counts(truth, classes, 2, "to be tested on some of its rows (or set test_share to 0)")
    try:
        learning, tested = train_test_split(
            every, test_size=share, random_state=seed, stratify=truth if classes else None
        )
    except ValueError as error:
        raise BadData(f"The rows cannot be parted by test_share: {error}") from None
    if classes and len(np.unique(truth[learning])) < len(classes):
        raise BadData("With this test_share there is a class of which no row is left to learn from.")
    return np.sort(learning), np.sort(tested)


def folds(count: int, seed: int, truth: Target, classes: Sequence[Label]) -> list[tuple[Index, Index]]:
    """Pairs of places to learn from and to be tested on."""
    if len(truth) < count:
        raise BadData(f"{count} folds need as many rows; there are {len(truth)}.")
    if not classes:
        return list(KFold(count, shuffle=True, random_state=seed).split(truth))
    check_counts(truth, classes, count, f"for {count} folds")
    return list(StratifiedKFold(count, shuffle=True, random_state=seed).split(truth, truth))


def check_counts(truth: Target, classes: Sequence[Label], least: int, why: str) -> None:
    counts = np.bincount(truth, minlength=len(classes))
    if (rare := int(counts.argmin())) >= 0 and counts[rare] < least:
        raise BadData(f"The class {classes[rare]!r:.80} has {counts[rare]} rows; it needs {least} {why}.")
