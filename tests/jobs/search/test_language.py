"""What may be written into the search box."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.search.language import Member, NotUnderstood, Term, Text, parse

PIECES = ["payload", ".", "result", ":", '"', "\\", "x", "a b", "1", "1.5", ">", "<=", " ", "true", "-", "e5", '""']


@pytest.mark.parametrize(
    ("written", "terms"),
    [
        ("", []),
        ("timeout nightly", [Text("timeout"), Text("nightly")]),
        ("timeout timeout", [Text("timeout")]),
        ('"no such file" x', [Text("no such file"), Text("x")]),
        ('"unclosed x', [Text('"unclosed'), Text("x")]),
        (r'"a \"b\""', [Text('a "b"')]),
        ("payload.user.plan:pro", [Member("payload", ("user", "plan"), "", "pro")]),
        ("result.count:5", [Member("result", ("count",), "", Decimal(5))]),
        ('result.count:"5"', [Member("result", ("count",), "", "5")]),
        ("result.count:>=1.5e3", [Member("result", ("count",), ">=", Decimal(1500))]),
        ("payload.on:true", [Member("payload", ("on",), "", True)]),
        ("payload.off:false", [Member("payload", ("off",), "", False)]),
        ("payload.none:null", [Member("payload", ("none",), "", None)]),
        ('payload."a b".c:x', [Member("payload", ("a b", "c"), "", "x")]),
        ("payload.url:https://example.com/?a=1", [Member("payload", ("url",), "", "https://example.com/?a=1")]),
        ("payload.x", [Text("payload.x")]),
        ("queue:x", [Text("queue:x")]),
        ("payload.x:1e9999999", [Member("payload", ("x",), "", "1e9999999")]),
    ],
)  # fmt: skip
def test_what_is_written_is_read(written: str, terms: list[Term]) -> None:
    assert list(parse(written).terms) == terms


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("payload.x:", "Say which value"),
        ("payload.x:>pro", "a number"),
        ('payload.x:>"5"', "a number"),
        ("payload.api_key:x", "is hidden"),
        ("payload.user.password.old:x", "is hidden"),
        ("a b c d e f g h i j k", "At most 10"),
        ("payload." + ".".join("x" * 21) + ":1", "more than 20 steps"),
    ],
)
def test_what_cannot_be_asked_says_why(written: str, told: str) -> None:
    with pytest.raises(NotUnderstood, match=told):
        parse(written)


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_was_read_is_written_such_that_it_is_read_alike(written: str) -> None:
    try:
        search = parse(written)
    except NotUnderstood:
        return

    assert parse(str(search)) == search
