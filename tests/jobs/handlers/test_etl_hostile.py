"""What tenants may send etl jobs to break or to escape them."""

import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers.base import Answer, PermanentFailure
from jobs.handlers.etl_expressions import check, compiled
from jobs.handlers.etl_language import Misspelt
from jobs.handlers.etl_types import Typed
from tests.jobs.handlers.etl import FILE, out, ran, worked

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


def test_cells_that_a_spreadsheet_would_take_for_formulas_are_texts() -> None:
    cells = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\t=1", "\r\n=1", "\n=1", "＝1", "＠x", "plain", "a=b"]
    rows: list[dict[str, Any]] = [{"=name": cell, "n": -1} for cell in cells]
    payload: dict[str, Any] = {"source": {"rows": rows}, "sink": {"artefact": "out.csv"}}

    import csv
    import io

    def read(**sink: Any) -> list[list[str]]:
        found = ran({**payload, "sink": {**payload["sink"], **sink}}).text()
        return list(csv.reader(io.StringIO(found, newline="")))

    assert read()[0] == ["'=name", "n"]
    assert [row[0] for row in read()[1:]] == [*("'" + cell for cell in cells[:9]), "plain", "a=b"]
    assert {row[1] for row in read()[1:]} == {"-1"}
    assert [row[0] for row in read(formula_safe=False)[1:]] == cells


HEADER = b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("data", "bad", "rows"),
    [
        (HEADER + b"x" * 100_000_000 + b",3\n4,5\n", 1, 2),
        (HEADER + b'"x,' + b"3\n4,5\n" * 200_000, 33_334, 33_334),
        (HEADER + b"x\0y,3\n", 0, 2),
        (HEADER + b"\xff\xfe,3\n4,5\n", 1, 2),
        (HEADER + b'"x"y,3\n4,5\n', 1, 2),
        (HEADER + b"," * 1_000_000 + b"\n4,5\n", 1, 2),
        (HEADER + (b'1,"x\n2,3\n4,""5""\n6,7\n8,9"\n') * 20_000, 0, 20_001),
        (gzip.compress(HEADER)[:-12], None, 0),
        (b"\x1f\x8bnonsense", None, 0),
        (b"", None, 0),
        (b"\n\n", None, 0),
        (b"a,a\n1,2\n", None, 0),
        (b'a,"b\nc"\n1,2\n', None, 0),
        (b",".join(b"c%d" % number for number in range(100_000)) + b"\n", None, 0),
        (b"x" * 2_000_000 + b"\n1\n", None, 0),
        (b"a\0b,c\n1,2\n", None, 0),
        (b"\xff,c\n1,2\n", None, 0),
    ],
    ids=["long-line", "open-quote", "nul", "utf-8", "quote", "many-fields", "rows-in-quotes", "cut-gzip", "no-gzip",
         "empty", "blank", "twice", "break-in-name", "many-columns", "long-name", "nul-in-name", "utf-8-in-name"],
)  # fmt: skip
def test_a_hostile_csv_is_read_or_told_of_but_never_half(data: bytes, bad: int | None, rows: int) -> None:
    began = time.monotonic()
    if bad is None:
        with pytest.raises(PermanentFailure):
            worked(data, policy="drop")
        return

    found = worked(data, policy="drop")

    assert (found.result["bad_rows"]["count"], found.result["rows_read"]) == (bad, rows)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("data", "bad"),
    [
        (b'{"a": 1}\n{"a": NaN}\n{"a": Infinity}\n{"a": 1e999}\n', 3),
        (b'{"a": 1}\n{"a": 1, "a": 2}\n{"b": {"x": 1, "x": 2}}\n', 2),
        (b'{"a": 1}\n' + b'{"a":' * 1_000 + b"1" + b"}" * 1_000 + b"\n", 1),
        (b'{"a": 1}\n' + b"[" * 900_000 + b"\n", 1),
        (b'{"a": 1}\n[1]\n2\nnull\n"x"\n{"a"\n', 5),
        (b'{"a": 1}\n{"a": "\\u0000"}\n{"a": "\\ud800"}\n', 2),
        (b'{"a": 1}\n{"a": "\xff"}\n', 1),
        (b'{"a": 1}\n{"a": ' + b"9" * 5_000 + b"}\n", 1),
        (b'{"a": 1}\n{"a": "' + b"x" * 3_000_000 + b'"}\n', 1),
    ],
    ids=["not-finite", "twice", "deep", "deeper", "no-objects", "unstorable", "utf-8", "digits", "long"],
)
def test_hostile_json_is_a_bad_row(data: bytes, bad: int) -> None:
    found = worked(data, format="ndjson", policy="drop")
    assert (found.result["bad_rows"]["count"], found.text()) == (bad, "a\n1\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[",
        b'[{"a": 1}',
        b'[{"a": 1} {"a": 2}]',
        b"[" * 2_000_000,
        b'[{"a": "' + b"x" * 3_000_000,
        b"[,]",
        b'[{"a":1},]',
    ],
    ids=["empty", "object", "open", "cut", "comma", "deep", "long", "nothing", "more"],
)
def test_a_json_list_that_breaks_off_is_told_of(data: bytes) -> None:
    with pytest.raises(PermanentFailure):
        worked(data, format="json", policy="drop")


def test_what_unpacks_to_too_much_is_not_unpacked(settings: Settings) -> None:
    settings.ETL_UNPACKED_MAX_BYTES = 10_000_000
    bomb = gzip.compress(b"a\n" + b"0" * 100_000_000)
    assert len(bomb) < 200_000

    with pytest.raises(PermanentFailure, match="Unpacked it has more than 10000000 bytes"):
        worked(bomb)


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_name_that_is_none_is_refused_in_json(name: str) -> None:
    with pytest.raises(PermanentFailure, match="is no name of a column"):
        worked(json.dumps([{name: 1}]).encode(), format="json")


def test_what_fails_only_at_a_row_is_told_as_a_failure_of_the_rows() -> None:
    """A product that no type holds, in rows that are read back."""
    steps: list[dict[str, Any]] = [
        {"cast": {"a": "integer"}},
        {"derive": {"b": "a * a"}},
        {"validate": {"required": ["b"]}},
    ]

    with pytest.raises(PermanentFailure, match="The rows cannot be worked on"):
        worked(b"a\n1\n" + b"9" * 38 + b"\n", *steps, policy="drop")


def test_many_columns_in_json_are_refused() -> None:
    data = json.dumps([{f"c{number}": 1 for number in range(3_000)}]).encode()

    with pytest.raises(PermanentFailure, match="columns"):
        worked(data, format="json")


@pytest.mark.parametrize(
    "names", [["a", "A"], ["Straße", "STRASSE"]]
)  # fmt: skip
def test_names_that_databases_would_not_tell_apart_are_not_written(names: list[str]) -> None:
    with pytest.raises(PermanentFailure, match="rename one"):
        worked(",".join(names).encode() + b"\n1,2\n")

    assert out(",".join(names).encode() + b"\n1,2\n", {"select": names[:1]}) == [names[0], "1"]


def answer_of(payload: dict[str, Any], *files: bytes) -> Answer:
    return ran({"source": FILE, "sink": {"artefact": "out.csv"}, **payload}, *files).answer


def test_the_engine_reaches_nothing_but_the_folder(settings: Settings, tmp_path: Any) -> None:
    """Its second wall: even a statement of the tenant's own would find nothing."""
    import duckdb

    from jobs.handlers.etl_engine import opened
    from tests.jobs.handlers.fakes import make_context

    secret = tmp_path / "secret.csv"
    secret.write_text("hunter2\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine.csv").write_text("mine\n")
    (folder / "link.csv").symlink_to(secret)
    with opened(make_context("etl", {}, folder=folder)) as engine:
        mine = f"SELECT * FROM read_csv('{folder}/mine.csv', header = false)"  # noqa: S608
        assert engine.connection.execute(mine).fetchall() == [("mine",)]
        for statement in (
            "SELECT * FROM read_csv('/etc/passwd')",
            f"SELECT * FROM read_csv('{secret}')",  # noqa: S608
            f"SELECT * FROM read_csv('{folder}/../secret.csv')",  # noqa: S608
            "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
            "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
            "SELECT * FROM read_text('/proc/self/environ')",
            "SELECT * FROM glob('/*')",
            f"ATTACH '{tmp_path}/x.db'",
            "COPY (SELECT 1) TO '/tmp/etl-escape'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET allowed_directories = ['/']",
            "SET memory_limit = '100GB'",
            "SELECT * FROM settings",
            "CREATE SECRET (TYPE s3)",
            "EXPORT DATABASE '/tmp/etl-escape'",
        ):
            with pytest.raises(duckdb.Error):
                engine.connection.execute(statement)
