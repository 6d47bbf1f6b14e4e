"""JSON that PostgreSQL keeps and gives back as it was sent."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.strict_json import MAX_DEPTH, NotStrict, dumps, loads

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(values)
def test_what_is_sent_is_what_is_read(value: Any) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(values)
def test_what_is_written_reads_back_the_same_whatever_reads_it(value: Any) -> None:
    text = dumps(value)

    for read in (loads, json.loads):
        assert same(read(text), value)
    assert same(json.loads(json.dumps(value)), value)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kinds: 1, 1.0 and True are three things, 0.0 and -0.0 are two."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**400, -(10**400)])
def test_big_integers_are_kept_to_the_last_digit(number: int) -> None:
    assert json.loads(dumps({"a": [number, {"b": number}]})) == {"a": [number, {"b": number}]}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), "\ud800", "\udc00x"])
@pytest.mark.parametrize("place", [lambda bad: bad, lambda bad: [1, [bad]], lambda bad: {"a": {"b": bad}}])
@pytest.mark.parametrize("beside", [None, 10**30], ids=["short", "beside a big integer"])
def test_what_json_cannot_say_is_not_written(bad: Any, place: Any, beside: Any) -> None:
    with pytest.raises(NotStrict):
        dumps([beside, place(bad)])


def test_half_of_a_pair_is_no_key_either() -> None:
    with pytest.raises(NotStrict):
        dumps({"\ud800": 1})


@pytest.mark.parametrize("value", [{"a": object()}, {1, 2}, b"bytes"])
def test_what_is_no_json_at_all_is_a_mistake_of_the_caller(value: Any) -> None:
    with pytest.raises((TypeError, NotStrict)):
        dumps(value)


@given(st.binary() | st.text())
def test_whatever_arrives_is_read_or_refused_and_nothing_else(data: bytes | str) -> None:
    with suppress(NotStrict):
        loads(data)


@pytest.mark.parametrize(
    "bad",
    [
        r'{"a": "\u0000"}',
        '{"a": "\x00"}',
        r'{"\u0000": 1}',
        r'["\ud800"]',
        r'["\udfff\ud800"]',
        r'{"\udc00": 1}',
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[1e400]",
        "[-1e400]",
        f"[{'9' * 401}]",
        f"[0.{'1' * 401}]",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        "",
        "{",
        "[1,]",
        '{"a": 1} {"b": 2}',
        "\ufeff{}",
        b"\xff\xfe{\x00}\x00",
        b'"\xed\xa0\x80"',
        b'{"a": "\xc3"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ],
    ids=lambda bad: repr(bad[:24]),
)
def test_what_cannot_be_kept_is_refused(bad: bytes | str) -> None:
    with pytest.raises(NotStrict):
        loads(bad)


@pytest.mark.parametrize(
    ("good", "value"),
    [
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ('["' + "[" * 1000 + '"]', ["[" * 1000]),
        (r'["\"[\"", "\\"]' + " ", ['"["', "\\"]),
        (r'"\ud83d\ude00"', "😀"),
        (f"[{'9' * 400}]", [int("9" * 400)]),
        ("[1e308, -0.5, 0]", [1e308, -0.5, 0]),
        ('{"__proto__": {"constructor": 1}}', {"__proto__": {"constructor": 1}}),
    ],
    ids=lambda good: repr(good)[:24],
)
def test_unusual_but_good_json_is_read(good: str, value: Any) -> None:
    read = loads(good)

    assert value is None or read == value


@pytest.mark.parametrize("ending", ["", "\\", '"', "]"])
def test_the_cost_of_hostile_text_grows_with_its_length_only(ending: str) -> None:
    """The count of brackets first: a body of escaped quotes once cost the square of its length."""

    def seconds(quotes: int) -> float:
        body = "[" * (MAX_DEPTH + 1) + '\\"' * quotes + ending
        began = time.process_time()
        with pytest.raises(NotStrict):
            loads(body)
        return time.process_time() - began

    # A hundred times the length; the square of that took seconds.
    assert seconds(20_000) < 100 * (seconds(200) + 0.001)
