"""JSON Schema as we use it: faults as (JSON pointer, sentence) pairs that name the field at fault."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

MAX_FAULTS = 20
MAX_SENTENCE = 300

Fault = tuple[str, str]


def is_integer(checker: object, value: object) -> bool:
    """The specification also lets 1.0 pass as an integer; Python code that asked for an int would get a float."""
    return isinstance(value, int) and not isinstance(value, bool)


Telling: type[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer)
)


class Validator:
    """A schema, compiled. Nearly all values are valid, which the compiled rules say a hundred times faster than those
    that can tell what is wrong."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._telling = Telling(schema)
        self._compiled = jsonschema_rs.Draft202012Validator(dict(schema))
        self._has_integers = '"integer"' in json.dumps(schema)

    @staticmethod
    def check_schema(schema: Mapping[str, Any]) -> None:
        Telling.check_schema(schema)

    def is_valid(self, value: Any) -> bool:
        return self._is_plainly_valid(value) or bool(self._telling.is_valid(value))

    def errors(self, value: Any) -> list[ValidationError]:
        """In the order of the fields."""
        if self._is_plainly_valid(value):
            return []
        return sorted(self._telling.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])

    def _is_plainly_valid(self, value: Any) -> bool:
        """False also for what the compiled rules see otherwise than ours: 1.0 and integers beyond their reach."""
        try:
            return not (self._has_integers and has_float(value)) and self._compiled.is_valid(value)
        except (ValueError, TypeError, RecursionError):
            return False


def has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_float, value.values()))
    return any(map(has_float, value)) if isinstance(value, list) else isinstance(value, float)


WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
# By keyword; the value of the keyword fills the gap.
SENTENCES = {
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "minItems": "At least {} items.",
    "maxItems": "At most {} items.",
    "maxProperties": "At most {} fields.",
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "exclusiveMinimum": "More than {}.",
    "pattern": "Must match {}.",
}


def faults(validator: Validator, value: Any, prefix: str = "") -> list[Fault]:
    """What is wrong with a value, in the order of its fields."""
    errors = validator.errors(value)
    if not errors:
        return []
    found = [fault for error in errors[:MAX_FAULTS] for fault in described(error)]
    return [(prefix + pointer, sentence[:MAX_SENTENCE]) for pointer, sentence in found[:MAX_FAULTS]]


def described(error: ValidationError) -> Iterator[Fault]:
    place = "".join(map(token, error.absolute_path))
    schema: Any = error.schema
    rule: Any = error.validator_value
    value: Any = error.instance
    match error.validator:
        case "required":
            # One error per missing field, which is named in the sentence only.
            name = next(name for name in rule if error.message.startswith(repr(name)))
            yield place + token(name), "This field is required."
        case "additionalProperties" if rule is False:
            known = schema.get("properties", {})
            for name in sorted(set(value) - set(known)):
                yield place + token(name), f"There is no such field; there are: {', '.join(known) or 'none'}."
        case "anyOf" | "type" | "enum":
            yield place, f"Expected {expected(schema)}."
        case "minLength" | "minItems" if rule == 1:
            yield place, "May not be empty."
        case keyword:
            yield place, SENTENCES.get(str(keyword), error.message).format(rule)


def token(part: object) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def expected(schema: Mapping[str, Any]) -> str:
    """A schema in words: an integer or null, a list of strings, one of "a", 1; its title where it has one."""
    if "title" in schema:
        return str(schema["title"])
    if "anyOf" in schema:
        return " or ".join(map(expected, schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if schema.get("type") == "array" and schema.get("items"):
        return f"a list, each {expected(schema['items'])}"
    return WORDS.get(str(schema.get("type")), "another value")
