"""Rows of etl jobs that do not fit: the job fails, or they are dropped, or kept apart; always counted and named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import InvalidPayload
from jobs.handlers.base import Fail
from tests.jobs.handlers.etl import ran, worked

DATA = b'id,amount\n1,10\n2\n3,ten\n4,40,4\n5,"5\n0"\n6,60\n7,\xff\n'
STEPS = [{"cast": {"amount": "integer"}}]
BAD = [(3, "it has 1 fields, not 2"), (5, "it has 3 fields, not 2"), (9, "it is not UTF-8")]
CAST = [(4, "amount: 'ten' is not a whole number"), (6, "amount: '5\\n0' is not a whole number")]


def test_the_job_fails_and_names_the_first() -> None:
    answer = worked(DATA, *STEPS).answer

    assert isinstance(answer, Fail)
    assert (answer.error_type, answer.reason) == ("BadRows", "A row is bad: line 3: it has 1 fields, not 2")
    assert [(one["line"], one["reason"]) for one in answer.result["bad_rows"]["first"]] == BAD


def test_dropped_they_are_counted_and_named_by_the_line_of_the_file() -> None:
    found = worked(DATA, *STEPS, policy="drop")

    assert found.text() == "id,amount\n1,10\n6,60\n"
    assert found.result["bad_rows"]["count"] == 5
    assert [(one["line"], one["reason"]) for one in found.result["bad_rows"]["first"]] == BAD + CAST
    assert found.result["bad_rows"]["first"][-1]["in"] == "/steps/0/cast"
    assert found.result["bad_rows_artefact"] is None


def test_kept_they_are_all_in_a_file_of_their_own() -> None:
    found = worked(DATA, *STEPS, policy="keep")

    kept = [json.loads(line) for line in found.text("bad-rows.ndjson").splitlines()]
    assert [(one["line"], one["reason"]) for one in kept] == BAD + CAST
    assert [one["row"] for one in kept] == ["2", "4,40,4", {"id": "7", "amount": "\ufffd"}, *(
        {"id": number, "amount": text} for number, text in (("3", "ten"), ("5", "5\n0"))
    )]  # fmt: skip
    assert found.result["bad_rows_artefact"] == "bad-rows.ndjson"
    assert found.text() == "id,amount\n1,10\n6,60\n"


def test_of_very_many_all_are_counted_and_kept_and_a_few_shown() -> None:
    data = b"a\n" + b"x\n" * 30_000 + b"1\n"

    dropped = worked(data, {"cast": {"a": "integer"}}, policy="drop")
    kept = worked(data, {"cast": {"a": "integer"}}, policy="keep")

    for found in (dropped, kept):
        assert (found.result["bad_rows"]["count"], len(found.result["bad_rows"]["first"])) == (30_000, 20)
        assert found.text() == "a\n1\n"
    assert len(kept.text("bad-rows.ndjson").splitlines()) == 30_000


def test_rows_that_were_summed_up_have_no_line() -> None:
    steps = [{"group": {"by": ["a"], "aggregates": {"n": {"count": "*"}}}}, {"cast": {"a": "integer"}}]

    found = worked(b"a\n1\nx\n", *steps, policy="keep")

    assert json.loads(found.text("bad-rows.ndjson")) == {
        "line": None,
        "reason": "a: 'x' is not a whole number",
        "in": "/steps/1/cast",
        "row": {"a": "x", "n": 1},
    }
    assert found.text() == "a,n\n1,1\n"


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer", "minimum": 1}, "mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"}},
    "required": ["id", "mail"],
    "additionalProperties": False,
}


def test_rows_are_held_to_a_schema() -> None:
    data = b"id,mail\n1,a@b\n0,c@d\n3,nobody\n4,\n70141183460469231731687303715884105727,e@f\n"

    found = worked(data, {"cast": {"id": "integer"}}, {"validate": SCHEMA}, policy="drop")

    assert found.text() == "id,mail\n1,a@b\n70141183460469231731687303715884105727,e@f\n"
    assert [(one["line"], one["reason"].split(":")[0]) for one in found.result["bad_rows"]["first"]] == [
        (3, "/id"),
        (4, "/mail"),
        (5, "/mail"),
    ]


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_no_time_here() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}

    found = worked(b"a\n" + b"a" * 5_000 + b"!\n", {"validate": schema}, policy="drop")

    assert found.result["bad_rows"]["count"] == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"properties": {"a": {"$ref": "#"}}},
        {"$id": "file:///etc/", "properties": {}},
        {"allOf": [{"$dynamicRef": "#x"}]},
        {"type": "nonsense"},
        {"pattern": "(?<=a)b"},
        {"pattern": "(" * 30},
        {"pattern": "(a{1000}){1000}"},
    ],
)
def test_a_schema_that_would_reach_elsewhere_or_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload) as told:
        worked(b"a\n", {"validate": schema})

    assert [pointer for pointer, _ in told.value.errors] == ["/steps/0/validate"]


@given(
    st.lists(
        st.one_of(
            st.integers(-(10**30), 10**30).map(str), st.text(st.characters(exclude_categories=["C"]), max_size=8)
        ),
        max_size=30,
    )
)
def test_each_row_is_either_written_or_told_of(cells: list[str]) -> None:
    """Whatever is in the cells, and however they are quoted."""
    data = "number,a\n" + "".join('{},"{}"\n'.format(n, cell.replace('"', '""')) for n, cell in enumerate(cells))

    found = worked(data.encode(), {"cast": {"a": "integer"}}, {"filter": "true"}, policy="keep", sink="out.json")

    written = {int(row["number"]) for row in json.loads(found.text("out.json"))}
    kept = found.reporter.files.get("bad-rows.ndjson", b"").decode().splitlines()
    told = {int(json.loads(line)["row"]["number"]) for line in kept}
    assert written | told == set(range(len(cells)))
    assert not written & told
    assert told == {n for n, cell in enumerate(cells) if cell and not is_integer(cell)}


def is_integer(text: str) -> bool:
    digits = text.strip(" ").removeprefix("-").removeprefix("+")
    return digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= 38


def test_what_two_files_hold_is_told_apart() -> None:
    payload = {
        "source": {"rows": [{"id": 1}, {"id": 2}]},
        "steps": [{"join": {"with": {"artefact": "018f0000-0000-7000-8000-0000000000ff", "cast": {"id": "integer"}},
                            "on": ["id"]}}],
        "sink": {"artefact": "out.csv"},
        "on_bad_row": "drop",
    }  # fmt: skip

    found = ran(payload, b"", b"id,x\n1,one\nx,two\n3\n")

    assert found.text() == "id,x\n1,one\n"
    assert [(one["in"], one["line"]) for one in found.result["bad_rows"]["first"]] == [
        ("/steps/0/join/with", 4),
        ("/steps/0/join/with", 3),
    ]
