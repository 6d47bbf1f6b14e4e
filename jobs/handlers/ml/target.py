"""What a model is to say: numbers, or one of some classes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jobs.handlers.ml.cells import CATEGORY, NUMBER, BadData
from jobs.handlers.ml.columns import Index
from jobs.handlers.ml.file import Label, Model
from jobs.handlers.ml.model_schema import MAX_CLASSES
from jobs.handlers.ml.schema import CLASSIFICATION, DEFAULT_KIND, KINDS, REGRESSION
from jobs.handlers.ml.table import MAX_NAME, Texts, Values

# A target of so few different whole numbers is taken for names of classes.
FEW = 10


class Target(NamedTuple):
    """Of each row that has one: its place in the table, and the number or the number of its class."""

    problem: str
    classes: list[Label]
    rows: Index
    truth: npt.NDArray[Any]


def asked_target(values: Values, payload: Mapping[str, Any]) -> Target:
    """The target of a training. Raises BadData."""
    rows = there(values)
    if len(rows) < 2:
        raise BadData(f"Fewer than two rows have a value in the target {payload['target']!r}.")
    possible = KINDS[payload.get("model", DEFAULT_KIND)].problems
    problem = payload.get("problem") or (looks_like(values, rows) if len(possible) > 1 else possible[0])
    if problem == REGRESSION:
        if isinstance(values, Texts):
            raise BadData(f"The target {payload['target']!r} holds texts; regression needs numbers.")
        return Target(problem, [], rows, values[rows])
    classes = sorted_classes(values, rows)
    return Target(problem, classes, rows, as_classes(values, rows, classes))


def there(values: Values) -> Index:
    return np.flatnonzero(values.codes >= 0 if isinstance(values, Texts) else ~np.isnan(values))


def looks_like(values: Values, rows: Index) -> str:
    if isinstance(values, Texts):
        return CLASSIFICATION
    different = np.unique(values[rows])
    few = len(different) <= FEW and (different == np.round(different)).all()
    return CLASSIFICATION if few else REGRESSION


def sorted_classes(values: Values, rows: Index) -> list[Label]:
    if isinstance(values, Texts):
        found: list[Label] = sorted(values.values[code] for code in np.unique(values.codes[rows]))
    else:
        found = [float(one) for one in np.unique(values[rows])]
    if not 2 <= len(found) <= MAX_CLASSES:
        raise BadData(f"The target has {len(found)} different values; classification is for 2 to {MAX_CLASSES}.")
    if any(isinstance(one, str) and len(one) > MAX_NAME for one in found):
        raise BadData(f"A value of the target has more than {MAX_NAME} characters.")
    return found


def as_classes(values: Values, rows: Index, classes: Sequence[Label]) -> npt.NDArray[np.intp]:
    """-1 for what is none of them."""
    places = {one: number for number, one in enumerate(classes)}
    if isinstance(values, Texts):
        by_code = np.array([places.get(value, -1) for value in values.values], dtype=np.intp)
        return by_code[values.codes[rows]]
    return np.array([places.get(value, -1) for value in values[rows].tolist()], dtype=np.intp)


def known_target(values: Values, model: Model) -> Target:
    """The target of rows that a model is tried on."""
    rows = there(values)
    if not len(rows):
        raise BadData(f"No row has a value in the target {model.target!r}.")
    truth = as_classes(values, rows, model.classes) if model.classifies else np.asarray(values)[rows]
    return Target(model.problem, model.classes, rows, truth)


def target_kind(model: Model) -> str:
    """What a model's target is read as."""
    return CATEGORY if model.classes and isinstance(model.classes[0], str) else NUMBER


def shown(label: Label) -> Label:
    """A class as people wrote it: 1 and not 1.0."""
    return int(label) if isinstance(label, float) and label.is_integer() else label
