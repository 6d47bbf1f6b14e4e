"""A task's signature as the schema of its keyword arguments."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

import pytest

from jobs.handlers.base import Context
from jobs.handlers.schemas import Validator, faults
from jobs.handlers.signatures import BadSignature, signature_of

if TYPE_CHECKING:
    from decimal import Decimal


def everything(
    a: int,
    b: float,
    c: str,
    d: bool,
    e: list[int],
    f: dict[str, float],
    g: int | None = None,
    h: Optional[str] = "x",  # noqa: UP045
    i: Literal["red", 3] = "red",
    *,
    j: Union[int, str, list[str]] = 0,  # noqa: UP007
    k: list = [],  # noqa: B006
    m: dict = {},  # noqa: B006
    n: Any = None,
) -> None: ...


def test_each_kind_of_annotation_has_its_schema() -> None:
    schema = signature_of(everything).schema

    assert schema["properties"] == {
        "a": {"type": "integer"},
        "b": {"type": "number"},
        "c": {"type": "string"},
        "d": {"type": "boolean"},
        "e": {"type": "array", "items": {"type": "integer"}},
        "f": {"type": "object", "additionalProperties": {"type": "number"}},
        "g": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "h": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": "x"},
        "i": {"enum": ["red", 3], "default": "red"},
        "j": {
            "anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "default": 0,
        },
        "k": {"type": "array", "default": []},
        "m": {"type": "object", "default": {}},
        "n": {"default": None},
    }
    assert schema["required"] == ["a", "b", "c", "d", "e", "f"]
    assert schema["additionalProperties"] is False


def needs_context(ctx: Context, a: "int") -> None: ...


def test_a_context_in_front_is_no_argument() -> None:
    signature = signature_of(needs_context)

    assert signature.takes_context
    assert list(signature.schema["properties"]) == ["a"]


def late(a: int, context: Context) -> None: ...
def bare(a) -> None: ...  # type: ignore[no-untyped-def]
def starred(*numbers: int) -> None: ...
def keywords(**options: int) -> None: ...
def positional(a: int, /) -> None: ...
def raw(a: bytes) -> None: ...
def keyed(a: dict[int, str]) -> None: ...
def inner(a: list[set[int]]) -> None: ...
def unread(a: "Decimal") -> None: ...
def misfit(a: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def unkept(a: Any = object()) -> None: ...  # noqa: B008


def yielding(a: int) -> Iterator[int]:
    yield a


async def yielding_later(a: int) -> AsyncIterator[int]:
    yield a


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (late, "parameter 'context': a Context can only be the first parameter"),
        (bare, "parameter 'a' has no annotation"),
        (starred, r"parameter 'numbers': .* no \*args"),
        (keywords, "parameter 'options'"),
        (positional, "parameter 'a'"),
        (raw, "parameter 'a' is annotated bytes"),
        (keyed, r"is annotated dict\[int, str\]"),
        (inner, r"is annotated set\[int\]"),
        (unread, "cannot be read: name 'Decimal' is not defined"),
        (misfit, "its default None does not fit"),
        (unkept, "is no JSON value"),
        (yielding, "yields"),
        (yielding_later, "yields"),
    ],
)
def test_what_cannot_be_a_task_is_refused_by_name(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(BadSignature, match=words) as refusal:
        signature_of(function)
    assert f"tests.jobs.handlers.test_signatures.{function.__name__}" in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a", 1.0),
        ("a", True),
        ("a", "1"),
        ("a", None),
        ("b", "1"),
        ("b", True),
        ("c", 1),
        ("d", 1),
        ("e", [1, "2"]),
        ("f", {"x": "y"}),
        ("g", "1"),
        ("i", "blue"),
        ("j", {}),
    ],
)
def test_a_value_of_another_type_is_a_fault_at_its_place(field: str, value: Any) -> None:
    fitting = {"a": 1, "b": 2, "c": "", "d": False, "e": [1], "f": {"x": 1.5}, "g": None, "i": 3, "j": ["a"]}
    validator = Validator(signature_of(everything).schema)
    assert faults(validator, fitting) == []

    ((pointer, sentence),) = faults(validator, {**fitting, field: value}, "/kwargs")

    assert pointer.startswith(f"/kwargs/{field}")
    assert sentence.startswith("Expected ")
