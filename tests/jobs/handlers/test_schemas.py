"""What is wrong with a payload, in words and at its place."""

from typing import Any

import pytest

from jobs.handlers.schemas import Validator, faults

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a"},
        "count": {"type": "integer", "minimum": 2, "maximum": 4},
        "rate": {"type": "number", "exclusiveMinimum": 0},
        "list": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3},
        "kind": {"enum": ["a", 1, None]},
        "either": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        "named": {"title": "a colour", "anyOf": [{"type": "string"}]},
        "map": {"type": "object", "additionalProperties": {"type": "number"}, "maxProperties": 1},
    },
    "required": ["text"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"text": "a"}, []),
        ({}, [("/text", "This field is required.")]),
        ([], [("", "Expected an object.")]),
        ({"text": ""}, [("/text", "May not be empty."), ("/text", "Must match ^a.")]),
        ({"text": "abcd"}, [("/text", "At most 3 characters.")]),
        ({"text": 1}, [("/text", "Expected a text.")]),
        ({"text": "a", "count": 1}, [("/count", "At least 2.")]),
        ({"text": "a", "count": 5}, [("/count", "At most 4.")]),
        ({"text": "a", "count": 3.0}, [("/count", "Expected a whole number.")]),
        ({"text": "a", "count": True}, [("/count", "Expected a whole number.")]),
        ({"text": "a", "rate": 0}, [("/rate", "More than 0.")]),
        ({"text": "a", "rate": "x"}, [("/rate", "Expected a number.")]),
        ({"text": "a", "list": ["x"]}, [("/list", "At least 2 items.")]),
        ({"text": "a", "list": ["x", 1, "y", "z"]}, [("/list", "At most 3 items."), ("/list/1", "Expected a text.")]),
        ({"text": "a", "kind": 2}, [("/kind", 'Expected one of "a", 1, null.')]),
        (
            {"text": "a", "either": "x"},
            [("/either", "Expected true or false or a list, each a whole number or null.")],
        ),
        ({"text": "a", "named": 1}, [("/named", "Expected a colour.")]),
        ({"text": "a", "map": {"x/y~": "1"}}, [("/map/x~1y~0", "Expected a number.")]),
        ({"text": "a", "map": {"x": 1, "y": 2}}, [("/map", "At most 1 fields.")]),
        (
            {"text": "a", "b": 1, "a": 1},
            [
                ("/a", "There is no such field; there are: text, count, rate, list, kind, either, named, map."),
                ("/b", "There is no such field; there are: text, count, rate, list, kind, either, named, map."),
            ],
        ),
    ],
)
def test_each_fault_is_said_at_its_place(value: Any, found: list[tuple[str, str]]) -> None:
    assert sorted(faults(Validator(SCHEMA), value)) == sorted(found)


def test_there_are_never_more_faults_than_a_person_reads() -> None:
    value = {"text": "a", **{f"x{n}": 1 for n in range(1_000)}}
    assert len(faults(Validator(SCHEMA), value)) == 20
