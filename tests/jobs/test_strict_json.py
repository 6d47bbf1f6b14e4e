"""JSON that PostgreSQL keeps and gives back as it was sent."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.strict_json import MAX_DEPTH, NotStrict, loads

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(values)
def test_what_is_sent_is_what_is_read(value: Any) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


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
