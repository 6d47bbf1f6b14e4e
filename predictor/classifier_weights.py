"""A classifier as bytes and back; what is read is trusted in nothing."""

import json
from typing import Any

import numpy as np

from predictor import archive
from predictor.archive import Arrays, Expected, Format, WeightsError
from predictor.calibration import Calibration
from predictor.classification import Classifier
from predictor.linear import Linear, Vocabulary
from predictor.priors import URGENCIES, Base
from predictor.text import FEATURES

LARGEST_BYTES = 8 << 20
MOST_LABELS, LONGEST_LABEL = 200, 100
_FORMAT = Format(b"SMARTQUEUE CLASSIFIER", 1, LARGEST_BYTES, "a classifier")


def dump(classifier: Classifier) -> bytes:
    """The classifier as bytes; equal ones give equal bytes. Weights are kept in half precision, as `fit` makes them."""
    base = classifier.base
    arrays: Arrays = {"labels": _words(classifier.labels), "base_labels": _words(base.labels if base else ())}
    arrays["scalars"] = np.array([classifier.base_weight, classifier.rules_weight])
    arrays["calibrations"] = np.array(classifier.calibrations, np.float64)
    arrays["temperatures"] = np.array(base.temperatures if base else (1.0, 1.0))
    arrays["log_shares"] = classifier.log_shares
    arrays |= _linear("own", classifier.own)
    if base:
        arrays |= _linear("base", base.linear)
    return archive.pack(_FORMAT, arrays, compress=True)


def load(data: bytes) -> Classifier:
    """The classifier that `dump` wrote, its arrays read-only. Raises WeightsError for anything else."""
    arrays = archive.unpack(_FORMAT, data)
    labels, base_labels = _labels(arrays, "labels"), _labels(arrays, "base_labels")
    archive.check(arrays, _expected(arrays, len(labels), len(base_labels)))
    if not labels:
        raise WeightsError("there are no labels")
    base_weight, rules_weight = arrays["scalars"].tolist()
    first, second = (Calibration(*row) for row in arrays["calibrations"].tolist())
    one, other = arrays["temperatures"].tolist()
    if min(first.temperature, second.temperature, one, other) <= 0.0:
        raise WeightsError("a temperature is not above zero")
    base = Base(base_labels, _read("base", arrays), (one, other)) if base_labels else None
    own = _read("own", arrays)
    return Classifier(labels, own, base, base_weight, rules_weight, (first, second), arrays["log_shares"])


def _linear(part: str, model: Linear) -> Arrays:
    return {
        f"{part}.features": model.vocabulary.features.astype(np.int32),
        f"{part}.rarity": model.vocabulary.rarity,
        f"{part}.weights": model.weights.astype(np.float16),
        f"{part}.bias": model.bias,
    }


def _read(part: str, arrays: Arrays) -> Linear:
    features = arrays[f"{part}.features"].astype(np.intp)
    if (np.diff(features) <= 0).any() or (features < 0).any() or (features >= FEATURES).any():
        raise WeightsError(f"{part}.features are not in order, or none that there are")
    weights = arrays[f"{part}.weights"].astype(np.float32)
    weights.setflags(write=False)
    return Linear(Vocabulary(features, arrays[f"{part}.rarity"]), weights, arrays[f"{part}.bias"])


def _words(words: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(json.dumps(words).encode(), np.uint8)


def _labels(arrays: Arrays, name: str) -> tuple[str, ...]:
    array = arrays.get(name, np.zeros(0, np.uint8))
    try:
        labels = json.loads(array.tobytes())
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{name} cannot be read") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise WeightsError(f"{name} are not words")
    if len(labels) > MOST_LABELS or len(set(labels)) < len(labels) or any(len(one) > LONGEST_LABEL for one in labels):
        raise WeightsError(f"{name} are too many, too long or not distinct")
    return tuple(labels)


def _expected(arrays: Arrays, labels: int, base_labels: int) -> Expected:
    """Shape and type of every array; a model may know any number of features."""
    single, double, half = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16)
    columns = labels + len(URGENCIES)
    expected: Expected = {
        name: (arrays[name].shape, np.dtype(np.uint8)) for name in ("labels", "base_labels") if name in arrays
    }
    expected |= {"scalars": ((2,), double), "calibrations": ((2, 2), double), "temperatures": ((2,), double)}
    expected["log_shares"] = ((columns,), single)
    for part, kinds in (("own", columns), ("base", base_labels + len(URGENCIES))):
        if part == "base" and not base_labels:
            continue
        size = arrays[f"{part}.features"].size if f"{part}.features" in arrays else 0
        expected |= {f"{part}.features": ((size,), np.dtype(np.int32)), f"{part}.rarity": ((size,), single)}
        expected |= {f"{part}.weights": ((size, kinds), half), f"{part}.bias": ((kinds,), single)}
    return expected
