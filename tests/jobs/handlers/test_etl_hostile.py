"""Files that tenants may send etl jobs to break or to escape them."""

import gzip
import json
import time
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers.base import Answer, PermanentFailure
from tests.jobs.handlers.etl import FILE, out, ran, worked


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
        (gzip.compress(HEADER, mtime=0)[:-12], None, 0),
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

    from jobs.handlers.etl.engine import opened
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
