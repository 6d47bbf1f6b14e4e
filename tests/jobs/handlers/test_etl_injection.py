"""Names, texts and expressions of tenants in etl jobs: none is ever read as a statement."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import InvalidPayload
from jobs.handlers.etl.expressions import check, compiled
from jobs.handlers.etl.language import Misspelt
from jobs.handlers.etl.types import Typed
from tests.jobs.handlers.etl import ran, worked

INJECTIONS = [
    "'; DROP TABLE t1; --",
    "\"; ATTACH '/tmp/x.db'; --",
    "') UNION SELECT * FROM read_text('/etc/passwd') --",
    "/etc/passwd",
    "http://127.0.0.1:1/x.csv",
    "read_csv('/etc/passwd')",
    "{}[]()$$ %s %(x)s $1 ?",
    "c0",
    "k",
    "line",
    "rowid",
    "\\'",
    "a`b",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "{{7*7}}",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_hostile_name_is_a_name_everywhere(text: str) -> None:
    quoted = "`" + text.replace("`", "``") + "`"
    cells = '"' + text.replace('"', '""') + '"'
    steps = [
        {"filter": f"{quoted} != 'x'"},
        {"derive": {f"{text}2": f"concat({quoted}, '!')"}},
        {"rename": {text: f"{text}3"}},
        {"validate": {"required": [f"{text}3"]}},
        {"sort": [f"{text}2"]},
        {"dedupe": [f"{text}3"]},
        {"join": {"with": {"rows": [{text: "one", "n": 1}]}, "on": {f"{text}3": text}}},
        {"group": {"by": [f"{text}3"], "aggregates": {text: {"max": f"{text}2"}}}},
    ]

    rows = json.loads(worked(f"{cells},b\none,2\n".encode(), *steps, sink="out.json").text("out.json"))

    assert rows == [{f"{text}3": "one", text: "one!"}]


@pytest.mark.parametrize("text", [*INJECTIONS, "=cmd|' /C calc'!A0"])
def test_a_hostile_text_is_a_text_everywhere(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    rows = [{"a": text}, {"a": "other"}]
    steps: list[dict[str, Any]] = [
        {"filter": f"a = {literal}"},
        {"derive": {"b": literal, "c": f"replace(a, {literal}, 'x')"}},
    ]

    found = ran({"source": {"rows": rows}, "steps": steps, "sink": {"artefact": "out.json"}})

    assert json.loads(found.text("out.json")) == [{"a": text, "b": text, "c": "x"}]


@pytest.mark.parametrize(
    "text",
    [
        "read_csv('/etc/passwd')",
        "read_text('/etc/passwd') = ''",
        "getenv('HOME') = ''",
        "(SELECT 1) = 1",
        "a; ATTACH 'x'",
        "a = 1 -- x --",
        "a = 1 /* x */",
        "a::text = ''",
        "a.b = 1",
        "$1 = 1",
        "{{7*7}}",
        "eval('1')",
        "pragma_version() = ''",
        "a LIKE '%'",
        "COPY(a)",
        "a = 'unclosed",
        "a = `unclosed",
        "((((a",
        "not",
        "a in ()",
        "a b",
        "1 2",
        "'a' 'b'",
        "1a",
        "0x10 = 1",
        "e'\\n' = ''",
        "99999999999999999999999999999999999999999 = 1",
        "1e999 = 1",
        "(" * 100 + "1" + ")" * 100,
        "1" + "+1" * 500,
        "lower()",
        "lower('a', 'b')",
        "__import__('os')",
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_sent(text: str) -> None:
    with pytest.raises(InvalidPayload) as told:
        worked(b"a\n1\n", {"filter": text})

    ((pointer, sentence),) = told.value.errors
    assert pointer == "/steps/0/filter"
    assert sentence


COLUMNS = {"a": Typed("c0", "text"), "n": Typed("c1", "integer"), "x'\"`;--": Typed("c2", "text")}


@given(st.text(max_size=60) | st.lists(st.sampled_from(
    ["a", "n", "1", "'", "''", '"', "`", "(", ")", ",", "+", "-", "--", "/*", ";", "\\", "=", "<", "lower",
     "concat", "and", "not", "in", "is", "null", "if", "'x'", " ", "\n", "::", "$$", "c0", "SELECT", "\0"]
), max_size=15).map("".join))  # fmt: skip
def test_whatever_the_text_what_is_compiled_is_one_closed_expression(text: str) -> None:
    import duckdb

    try:
        value = compiled(check(text), COLUMNS)
    except Misspelt:
        return
    with duckdb.connect(":memory:", config={"enable_external_access": False}) as engine:
        statements = engine.extract_statements(
            f"SELECT {value.sql} AS v, 'end' AS e FROM (SELECT 'x' AS c0, 1 AS c1, 'y' AS c2) AS r"  # noqa: S608
        )
        assert len(statements) == 1
        row = engine.execute(statements[0]).fetchone()
    assert row is not None
    assert row[1:] == ("end",)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40))
def test_any_text_and_any_name_come_out_as_they_went_in(text: str) -> None:
    literal, column = "'" + text.replace("'", "''") + "'", "`" + text.replace("`", "``") + "`"
    payload = {
        "source": {"rows": [{text: text}]},
        "steps": [{"filter": f"{column} = {literal}"}],
        "sink": {"artefact": "out.json"},
    }

    assert json.loads(ran(payload).text("out.json")) == [{text: text}]
