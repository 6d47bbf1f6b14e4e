"""JSON Schema as we use it: faults as (JSON pointer, sentence) pairs that name the field at fault."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

MAX_FAULTS = 20
MAX_SENTENCE = 300

Fault = tuple[str, str]


def is_integer(checker: object, value: object) -> bool:
    """The specification also lets 1.0 pass as an integer; Python code that asked for an int would get a float."""
    return isinstance(value, int) and not isinstance(value, bool)


Validator = extend(Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer))


def faults(validator: Any, value: Any, prefix: str = "") -> list[Fault]:
    """What is wrong with a value, in the order of its fields."""
    errors = sorted(validator.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    found = [fault for error in errors[:MAX_FAULTS] for fault in described(error)]
    return [(prefix + pointer, sentence[:MAX_SENTENCE]) for pointer, sentence in found[:MAX_FAULTS]]


def described(error: ValidationError) -> Iterator[Fault]:
    place = "".join(map(token, error.absolute_path))
    match error.validator:
        case "required":
            # One error per missing field, which is named in the sentence only.
            name = next(name for name in error.validator_value if error.message.startswith(repr(name)))
            yield place + token(name), "This field is required."
        case "additionalProperties" if error.validator_value is False:
            known = error.schema.get("properties", {})
            for name in sorted(set(error.instance) - set(known)):
                yield place + token(name), f"There is no such field; there are: {', '.join(known) or 'none'}."
        case "anyOf" | "type" | "enum":
            yield place, f"Expected {expected(error.schema)}."
        case _:
            yield place, error.message


def token(part: object) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def expected(schema: Mapping[str, Any]) -> str:
    """A schema in words: integer or null, a list of string, one of "a", "b"."""
    if "anyOf" in schema:
        return " or ".join(expected(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(repr(one) for one in schema["enum"])
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array" and schema.get("items"):
        return f"a list of {expected(schema['items'])}"
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}" if kind != "null" else "null"
