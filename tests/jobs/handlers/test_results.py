"""What a handler returned, as JSON that PostgreSQL can keep."""

import json
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from jobs import strict_json
from jobs.handlers.results import BadResult, json_bytes, json_result
from tests.tasks import BAD


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: float
    when: date


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("ä\n", "ä\n"),
        ((1, [2]), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (Pair(1, 2), [1, 2]),
        ({"a": {1: 2}}, {"a": {"1": 2}}),
        (Point(1.5, date(2026, 1, 2)), {"x": 1.5, "when": "2026-01-02"}),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (time(1, 2), "01:02:00"),
        (timedelta(minutes=1.5), 90.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("9.90"), "9.90"),
        (Path("/srv/x"), "/srv/x"),
        ({Colour.RED: [Colour.RED, Level.HIGH]}, {"red": ["red", 3]}),
        (numpy.int64(7), 7),
        (numpy.float32(0.5), 0.5),
    ],
)
def test_values_become_what_people_expect(value: Any, plain: Any) -> None:
    assert json_result(value) == plain
    assert json.loads(json.dumps(json_result(value))) == plain


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "not a JSON number"),
        ("infinity", "not a JSON number"),
        ("bytes", "bytes"),
        ("nul", "NUL"),
        ("nul_key", "NUL"),
        ("surrogate", "surrogate"),
        ("object", "a object"),
        ("huge", "larger than"),
        ("wide", "larger than"),
        ("itself", "holds itself"),
        ("long_number", "400 digits"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(kind: str, words: str) -> None:
    with pytest.raises(BadResult, match=words):
        json_result(BAD[kind]())


@pytest.mark.parametrize("key", [None, True, 1.5, (1, 2), b"x"])
def test_keys_that_are_no_strings_are_refused(key: Any) -> None:
    with pytest.raises(BadResult, match="as a key"):
        json_result({key: 1})


def test_two_keys_that_are_written_alike_are_refused() -> None:
    with pytest.raises(BadResult, match="two keys"):
        json_result({1: "a", "1": "b"})


def test_sixty_four_levels_are_kept_and_sixty_five_are_not() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert json_result(value) == value

    with pytest.raises(BadResult, match="nested"):
        json_result([value])


def test_a_result_of_just_the_limit_is_kept(settings: Settings) -> None:
    settings.RESULT_MAX_BYTES = 20
    assert json_result("x" * 18) == "x" * 18

    with pytest.raises(BadResult, match="larger than 20 bytes"):
        json_result("x" * 19)


def test_what_grows_when_written_is_measured_as_written(settings: Settings) -> None:
    settings.RESULT_MAX_BYTES = 20
    with pytest.raises(BadResult, match="larger"):
        json_result("\x01" * 10)


def test_a_result_that_doubles_at_every_level_is_given_up_early(settings: Settings) -> None:
    settings.RESULT_MAX_BYTES = 1_000
    value: Any = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(BadResult, match="larger"):
        json_result(value)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.uuids()
    | st.sampled_from([Colour.RED, Level.HIGH, object()]),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner)
        | st.frozensets(st.integers() | st.text(st.characters()))
    ),
    max_leaves=30,
)


@given(anything)
def test_a_result_is_refused_or_reads_back_as_it_was_written(value: Any) -> None:
    try:
        plain = json_result(value)
    except BadResult:
        return
    # strict_json refuses whatever PostgreSQL's jsonb would.
    assert strict_json.loads(json.dumps(plain)) == plain
    assert json_result(plain) == plain


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=30,
)


@given(plain_json)
def test_plain_json_is_kept_unchanged(value: Any) -> None:
    assert json_result(value) == value
    assert json_bytes(value) == len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def test_a_mapping_of_its_own_kind_is_an_object() -> None:
    class Fixed(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            return 1

        def __iter__(self) -> Any:
            return iter(["a", "b"])

        def __len__(self) -> int:
            return 2

    assert json_result(Fixed()) == {"a": 1, "b": 1}
