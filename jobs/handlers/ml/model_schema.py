"""The description in a model's file, as it must be."""

from collections.abc import Mapping
from typing import Any

from jobs.handlers.ml.cells import BOOLEAN, CATEGORY, DATE, NUMBER
from jobs.handlers.ml.columns import MAX_CATEGORIES
from jobs.handlers.ml.schema import BOTH, COLUMN, KINDS, PARAMETERS
from jobs.handlers.ml.table import MAX_COLUMNS

MAX_CLASSES = 100
NUMBER_WITHIN = {"type": "number", "minimum": -1e300, "maximum": 1e300}
COLUMNS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": COLUMN,
            "kind": {"enum": [NUMBER, BOOLEAN, DATE, CATEGORY]},
            "fill": {"anyOf": [NUMBER_WITHIN, {"type": "null"}]},
            "shift": NUMBER_WITHIN,
            "scale": NUMBER_WITHIN,
            "categories": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": MAX_CATEGORIES,
                "uniqueItems": True,
            },
        },
        "required": ["name", "kind", "fill", "shift", "scale", "categories"],
        "additionalProperties": False,
    },
    "minItems": 1,
    "maxItems": MAX_COLUMNS,
}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**32}
MODEL: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "format": {"enum": ["smartqueue-model"]},
        "version": {"enum": [1]},
        "kind": {"enum": list(KINDS)},
        "problem": {"enum": list(BOTH)},
        "target": COLUMN,
        "columns": COLUMNS,
        "classes": {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, NUMBER_WITHIN]},
            "maxItems": MAX_CLASSES,
        },
        "parameters": {"type": "object", "properties": PARAMETERS, "additionalProperties": False},
        "importances": {"type": "object", "additionalProperties": NUMBER_WITHIN, "maxProperties": MAX_COLUMNS},
        "seed": WHOLE,
        "rows": WHOLE,
        "sha256": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 20},
    },
    "required": [
        *("format", "version", "kind", "problem", "target", "columns"),
        *("classes", "parameters", "importances", "seed", "rows", "sha256"),
    ],
    "additionalProperties": False,
}
