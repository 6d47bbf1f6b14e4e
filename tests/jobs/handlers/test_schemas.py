"""What is wrong with a payload, in words and at its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.handlers import registry
from jobs.handlers.base import Handler
from jobs.handlers.schemas import Telling, Validator, faults

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


# Values of all kinds, and many that nearly fit.
numbers = st.integers(-5, 8) | st.sampled_from([1.0, 2.0, 3.0, -0.0, 2.5, 2**63, -(2**70), 10**400, 1e308])
scalars = (
    st.none() | st.booleans() | numbers | st.sampled_from(["", "a", "ab", "abc", "abcd", "b", "a\u0301", "😀", "a\n"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3)
)
payloads = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "unknown"]), values, max_size=4)
NESTED = {
    "type": "array",
    "items": {"anyOf": [{"type": "integer"}, {"type": "object", "additionalProperties": {"type": "number"}}]},
    "maxItems": 3,
}
ANY_NUMBER = {"enum": [1, 2.0, "1", None, True, [1], {"a": 1}]}


@pytest.mark.parametrize("schema", [SCHEMA, NESTED, ANY_NUMBER, {"type": "integer", "maximum": 2**62}], ids=str)
@given(value=payloads | values)
def test_the_fast_rules_agree_with_those_that_tell(schema: dict[str, Any], value: Any) -> None:
    validator, telling = Validator(schema), Telling(schema)

    found = bool(telling.is_valid(value))

    assert validator.is_valid(value) == found
    assert (not faults(validator, value)) == found


@pytest.mark.parametrize("handler", [registry.get(type) for type in registry.types()], ids=lambda one: one.type)
def test_the_example_of_each_type_is_valid_by_the_fast_rules(handler: Handler) -> None:
    assert handler.validator._is_plainly_valid(handler.example)


@pytest.mark.parametrize("value", [1.0, 3.0, [1.0], {"a": 1.0}, True])
def test_a_number_with_a_point_is_no_whole_number_however_deep(value: Any) -> None:
    whole = {"type": "integer"}
    schema = {"anyOf": [whole, {"type": ["array", "object"], "items": whole, "additionalProperties": whole}]}

    assert not Validator(schema).is_valid(value)
