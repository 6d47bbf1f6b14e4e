"""What an ml job may ask for: its payload's schema, the kinds of models, and what each takes."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jobs.handlers.addresses import Refused, target
from jobs.handlers.schemas import Fault, token

CLASSIFICATION, REGRESSION = "classification", "regression"
BOTH = (CLASSIFICATION, REGRESSION)


class Kind(NamedTuple):
    """A kind of model: what it is for, the parameters it takes, and what it needs done to numbers before."""

    problems: tuple[str, ...]
    parameters: tuple[str, ...]
    scaled: bool = False
    # Whether it knows what to do where a value is missing.
    takes_missing: bool = False


TREE = ("max_depth", "min_samples_leaf", "max_features", "class_weight")
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "linear": Kind((REGRESSION,), (), scaled=True),
        "ridge": Kind((REGRESSION,), ("alpha",), scaled=True),
        "logistic": Kind((CLASSIFICATION,), ("C", "max_iter", "class_weight"), scaled=True),
        "naive_bayes": Kind((CLASSIFICATION,), ("var_smoothing",)),
        "k_neighbours": Kind(BOTH, ("n_neighbors", "weights"), scaled=True),
        "decision_tree": Kind(BOTH, TREE),
        "random_forest": Kind(BOTH, ("n_estimators", *TREE)),
        "gradient_boosting": Kind(
            BOTH,
            (
                *("max_iter", "learning_rate", "max_depth", "max_leaf_nodes"),
                *("min_samples_leaf", "l2_regularization", "class_weight"),
            ),
            takes_missing=True,
        ),
    }
)
DEFAULT_KIND = "gradient_boosting"
# A deeper tree is refused when a model is read; none is grown.
MAX_DEPTH = 50
# What a kind takes where the payload does not say, when that is not scikit-learn's own.
DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "logistic": {"max_iter": 1_000},
        "k_neighbours": {"n_neighbors": 5, "weights": "uniform"},
        "decision_tree": {"max_depth": 20},
        "random_forest": {"max_depth": 20, "max_features": "sqrt"},
        "gradient_boosting": {"max_depth": MAX_DEPTH},
    }
)
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "alpha": {"type": "number", "minimum": 0, "maximum": 1_000_000},
    "C": {"type": "number", "minimum": 0.000001, "maximum": 1_000_000},
    "max_iter": {"type": "integer", "minimum": 1, "maximum": 1_000},
    "class_weight": {"enum": ["balanced"]},
    "var_smoothing": {"type": "number", "minimum": 0.000000000001, "maximum": 1},
    "n_neighbors": {"type": "integer", "minimum": 1, "maximum": 100},
    "weights": {"enum": ["uniform", "distance"]},
    "n_estimators": {"type": "integer", "minimum": 1, "maximum": 500},
    "max_depth": {"type": "integer", "minimum": 1, "maximum": MAX_DEPTH},
    "min_samples_leaf": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "max_features": {"enum": ["sqrt", "log2", "all"]},
    "learning_rate": {"type": "number", "minimum": 0.0001, "maximum": 1},
    "max_leaf_nodes": {"type": "integer", "minimum": 2, "maximum": 1_000},
    "l2_regularization": {"type": "number", "minimum": 0, "maximum": 1_000_000},
}
METRICS: Mapping[str, tuple[str, ...]] = {
    CLASSIFICATION: ("accuracy", "f1_macro", "roc_auc", "log_loss"),
    REGRESSION: ("mae", "rmse", "r2"),
}
FORMATS = ("csv", "json", "ndjson")
# Names of columns that predictions have.
PREDICTION, PROBABILITY = "prediction", "probability:"
# Which fields belong to which task, besides task and data.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "train": (
        *("target", "features", "categorical", "problem", "model", "parameters"),
        *("cross_validation", "test_share", "seed", "metrics", "output"),
    ),
    "evaluate": ("model_artefact", "metrics"),
    "predict": ("model_artefact", "output"),
}
REQUIRED = {"train": "target", "evaluate": "model_artefact", "predict": "model_artefact"}

COLUMN = {"type": "string", "minLength": 1, "maxLength": 200}
COLUMNS = {"type": "array", "items": COLUMN, "minItems": 1, "maxItems": 1_000, "uniqueItems": True}
ARTEFACT = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    # for Python $ is also before a last line break
    "maxLength": 36,
    "description": "The id of a file of your organisation: one that was sent, or one that a job made.",
}
CELL = {"type": ["string", "number", "boolean", "null"], "title": "a text, a number, true, false or null"}
DATA = {
    "type": "object",
    "properties": {
        "artefact": ARTEFACT,
        "url": {"type": "string", "minLength": 1, "maxLength": 2_048},
        "rows": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": CELL, "maxProperties": 1_000},
            "minItems": 1,
        },
        "format": {"enum": list(FORMATS)},
        "delimiter": {"enum": [",", ";", "\t", "|"], "default": ","},
    },
    "additionalProperties": False,
    "description": "A table: an artefact, a URL, or the rows themselves.",
}
OUTPUT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9 ._()+-]{0,98}[A-Za-z0-9)])?$"},
        "format": {"enum": ["csv", "ndjson"], "default": "csv"},
        "probabilities": {"type": "boolean", "default": False},
        "keep": {**COLUMNS, "maxItems": 10},
    },
    "additionalProperties": False,
    "description": "The file that is made: its name; of predictions also its format and what is beside them.",
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "task": {"enum": list(FIELDS)},
        "data": DATA,
        "target": {**COLUMN, "description": "The column that is to be told from the others."},
        "features": {**COLUMNS, "description": "The columns it is told from; by default all others."},
        "categorical": {**COLUMNS, "description": "Columns whose numbers are names, like postcodes."},
        "problem": {"enum": list(BOTH), "description": "By default what the target looks like."},
        "model": {"enum": list(KINDS), "default": DEFAULT_KIND},
        "parameters": {"type": "object", "properties": PARAMETERS, "additionalProperties": False},
        "cross_validation": {"type": "integer", "minimum": 2, "maximum": 10, "description": "So many folds."},
        "test_share": {"type": "number", "minimum": 0, "maximum": 0.9, "description": "Of rows kept for a test."},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
        "metrics": {
            "type": "array",
            "items": {"enum": [name for names in METRICS.values() for name in names]},
            "minItems": 1,
            "maxItems": 8,
        },
        "model_artefact": ARTEFACT,
        "output": OUTPUT,
    },
    "required": ["task", "data"],
    "additionalProperties": False,
}


def refusals(payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    """What the schema cannot say."""
    task = payload["task"]
    allowed = FIELDS[task]
    for name in payload:
        if name not in ("task", "data", *allowed):
            yield token(name), f"Not for {task}; it takes: {', '.join(('data', *allowed))}."
    if REQUIRED[task] not in payload:
        yield token(REQUIRED[task]), "This field is required."
    yield from data_faults(payload["data"], org_settings)
    if task == "train":
        yield from train_faults(payload)
    output = payload.get("output", {})
    if output.get("name", "").endswith("\n"):
        yield "/output/name", "May not end with a line break."
    for number, name in enumerate(output.get("keep", [])):
        if name == PREDICTION or name.startswith(PROBABILITY):
            yield f"/output/keep/{number}", "A column of the predictions is called so."


def data_faults(data: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    sources = [name for name in ("artefact", "url", "rows") if name in data]
    if len(sources) != 1:
        yield "/data", "Exactly one of artefact, url and rows is needed."
    if "rows" in data:
        for name in ("format", "delimiter"):
            if name in data:
                yield f"/data/{name}", "Not for rows that are in the payload."
    elif "delimiter" in data and data.get("format", "csv") != "csv":
        yield "/data/delimiter", "For csv only."
    if "url" in data:
        try:
            target(data["url"], org_settings)
        except Refused as error:
            yield "/data/url", str(error)


def train_faults(payload: Mapping[str, Any]) -> Iterator[Fault]:
    name = payload.get("model", DEFAULT_KIND)
    kind = KINDS[name]
    for parameter in payload.get("parameters", {}):
        if parameter not in kind.parameters:
            takes = ", ".join(kind.parameters) or "none"
            yield f"/parameters{token(parameter)}", f"Not a parameter of {name}; it takes: {takes}."
    problem = payload.get("problem")
    if problem and problem not in kind.problems:
        yield "/problem", f"{name} is for {' and '.join(kind.problems)} only."
    if problem:
        for number, metric in enumerate(payload.get("metrics", [])):
            if metric not in METRICS[problem]:
                yield f"/metrics/{number}", f"Not for {problem}; there are: {', '.join(METRICS[problem])}."
    for number, column in enumerate(payload.get("features", [])):
        if column == payload.get("target"):
            yield f"/features/{number}", "The target cannot be told from itself."
    for word in payload.get("output", {}):
        if word != "name":
            yield f"/output/{word}", "For predictions only."
