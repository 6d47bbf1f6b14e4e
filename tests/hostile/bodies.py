"""Bodies with a text in every field that takes text, made from the document of the API."""

import copy
from typing import Any

from tests.smartqueue.test_openapi import resolved

ECHO = {"task": "tests.echo", "kwargs": {"value": ""}}
DEEPEST = 5


def kinds(schema: dict[str, Any]) -> set[str]:
    kind = schema.get("type", [])
    return set(kind) if isinstance(kind, list) else {kind}


def filled_with(text: str, schema: dict[str, Any], good: Any, depth: int = 0) -> Any:
    """What is good, with the text in place of every string, and in every field besides that may hold one."""
    schema = resolved(schema)
    for word in ("oneOf", "anyOf", "allOf"):
        for one in schema.get(word, []):
            schema = {**resolved(one), **{name: value for name, value in schema.items() if name != word}}
    if depth > DEEPEST or "enum" in schema:
        return good
    if "string" in kinds(schema):
        return text
    if "array" in kinds(schema):
        items = good if isinstance(good, list) and good else [None]
        return [filled_with(text, schema.get("items", {}), item, depth + 1) for item in items]
    if "properties" in schema:
        return of_object(text, schema, good if isinstance(good, dict) else {}, depth)
    return free(text, good)


def of_object(text: str, schema: dict[str, Any], good: dict[str, Any], depth: int) -> dict[str, Any]:
    found = dict(good)
    for name, inner in schema["properties"].items():
        value = filled_with(text, inner, good.get(name), depth + 1)
        if value is not None:
            found[name] = value
    return found


def free(text: str, good: Any) -> Any:
    """An object of anybody's: a payload that is good keeps its task, which takes whatever it is given."""
    if isinstance(good, dict) and "task" in good:
        return {"task": "tests.echo", "kwargs": {"value": {text: [text]}}}
    return {text: text} if isinstance(good, dict) else good


def mended(body: Any, good: Any, errors: list[dict[str, Any]]) -> Any:
    """The body without what was refused: each such field as it was in the good one, or left out."""
    body = copy.deepcopy(body)
    for error in errors:
        restore(body, good, error["pointer"].split("/")[1:])
    return body


def restore(body: Any, good: Any, way: list[str]) -> None:
    """The value at the end of the way; what is nowhere in the good body is left out from where they part."""
    for place, part in enumerate(way):
        key = int(part) if isinstance(body, list) and part.isdigit() else part
        if not has(body, key):
            return
        if not has(good, key):
            body.pop(key)
            return
        if place == len(way) - 1:
            body[key] = copy.deepcopy(good[key])
        body, good = body[key], good[key]


def has(inside: Any, key: Any) -> bool:
    if isinstance(inside, list):
        return isinstance(key, int) and key < len(inside)
    return isinstance(inside, dict) and key in inside
