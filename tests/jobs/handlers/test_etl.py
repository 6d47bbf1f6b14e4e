"""etl jobs: what each source, step and sink does with rows."""

import gzip
import json
import sys
from typing import Any

import pytest

from jobs.handlers import registry
from jobs.handlers.base import NotInstalled, PermanentFailure
from tests.jobs.handlers.etl import FILE, out, ran, worked

ORDERS = b"id,customer,country,amount,day\n" + b"".join(
    b"%d,c%d,%s,%d.50,2026-0%d-01\n" % (number, number % 3, country, number * 10, number)
    for number, country in enumerate([b"DE", b"FR", b"DE", b"GB", b"FR", b"DE"], 1)
)
CUSTOMERS = b"id,name\nc0,Zed\nc1,Ann\nc1,Ann again\nc9,Nobody\n"
CAST = {"cast": {"id": "integer", "amount": "decimal(12,2)", "day": "date"}}


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([{"select": ["day", "id"]}, {"limit": 1}], ["day,id", "2026-01-01,1"]),
        ([{"rename": {"id": "number"}}, {"select": ["number"]}, {"limit": 1}], ["number", "1"]),
        ([CAST, {"filter": "amount > 45 and country != 'FR'"}, {"select": ["id"]}], ["id", "6"]),
        ([{"filter": "not country in ('DE', 'FR')"}, {"select": ["id"]}], ["id", "4"]),
        ([CAST, {"filter": "day >= '2026-05-01'"}, {"select": ["id"]}], ["id", "5", "6"]),
        ([CAST, {"derive": {"twice": "amount * 2", "id": "-id"}}, {"limit": 1}, {"select": ["id", "twice"]}],
         ["id,twice", "-1,21.00"]),
        ([{"sort": ["country", {"by": "id", "descending": True}]}, {"select": ["country", "id"]}],
         ["country,id", "DE,6", "DE,3", "DE,1", "FR,5", "FR,2", "GB,4"]),
        ([{"dedupe": ["country"]}, {"select": ["id"]}], ["id", "1", "2", "4"]),
        ([{"select": ["country"]}, {"dedupe": []}], ["country", "DE", "FR", "GB"]),
        ([{"limit": 0}, {"select": ["id"]}], ["id"]),
        (
            [CAST, {"group": {"by": ["country"], "aggregates": {
                "n": {"count": "*"}, "who": {"count_distinct": "customer"}, "sum": {"sum": "amount"},
                "avg": {"avg": "amount"}, "first": {"min": "day"}, "last": {"max": "id"}}}}],
            ["country,n,who,sum,avg,first,last", "DE,3,2,101.50,33.833333333333336,2026-01-01,6",
             "FR,2,1,71.00,35.5,2026-02-01,5", "GB,1,1,40.50,40.5,2026-04-01,4"],
        ),
        ([{"group": {"by": [], "aggregates": {"n": {"count": "*"}}}}], ["n", "6"]),
        ([{"group": {"by": ["country"], "aggregates": {}}}], ["country", "DE", "FR", "GB"]),
        ([{"group": {"by": ["country"], "aggregates": {"n": {"count": "*"}}}}, {"cast": {"n": "text"}},
          {"filter": "n = '3'"}], ["country,n", "DE,3"]),
        ([CAST, {"group": {"by": ["country"], "aggregates": {"m": {"median": "amount"}, "s": {"stddev": "id"}}}},
          {"derive": {"s": "round(s, 3)"}}, {"limit": 1}], ["country,m,s", "DE,30.5,2.517"]),
    ],
)  # fmt: skip
def test_steps(steps: list[Any], lines: list[str]) -> None:
    assert out(ORDERS, *steps) == lines


@pytest.mark.parametrize(
    ("how", "more", "lines"),
    [
        ("inner", {}, ["id,customer,name", "1,c1,Ann", "1,c1,Ann again", "3,c0,Zed"]),
        ("left", {}, ["id,customer,name", "1,c1,Ann", "1,c1,Ann again", "2,c2,", "3,c0,Zed"]),
        ("full", {}, ["id,customer,name", "1,c1,Ann", "1,c1,Ann again", "2,c2,", "3,c0,Zed", ",c9,Nobody"]),
        ("semi", {}, ["id,customer", "1,c1", "3,c0"]),
        ("anti", {}, ["id,customer", "2,c2"]),
        ("inner", {"columns": ["id", "name"], "prefix": "their "},
         ["id,customer,their id,their name", "1,c1,c1,Ann", "1,c1,c1,Ann again", "3,c0,c0,Zed"]),
    ],
)  # fmt: skip
def test_joins(how: str, more: dict[str, Any], lines: list[str]) -> None:
    steps = [
        {"limit": 3},
        {"select": ["id", "customer"]},
        {"join": {"with": FILE, "on": {"customer": "id"}, "how": how, **more}},
        {"sort": ["id", *(["name"] if "columns" not in more and how not in ("semi", "anti") else [])]},
    ]
    payload = {"source": FILE, "steps": steps, "sink": {"artefact": "out.csv"}}

    assert ran(payload, ORDERS, b"", b"", CUSTOMERS).text().splitlines() == lines


def test_a_join_takes_rows_of_the_payload_and_casts_of_its_own() -> None:
    rows = [{"id": 1, "label": "one"}, {"id": 3, "label": "three"}]
    join = {"with": {"rows": rows}, "on": ["id"]}

    lines = out(ORDERS, {"select": ["id"]}, {"join": join}, {"sort": ["id"]}, cast={"id": "integer"})

    assert lines == ["id,label", "1,one", "3,three"]


@pytest.mark.parametrize("how", ["union", "cross", ""])
def test_other_joins_there_are_not(how: str) -> None:
    from jobs.errors import InvalidPayload

    with pytest.raises(InvalidPayload):
        worked(ORDERS, {"join": {"with": {"rows": []}, "on": ["id"], "how": how}})


@pytest.mark.parametrize(
    ("data", "options", "lines"),
    [
        (b"a;b\n1;2,5\n", {"delimiter": ";"}, ["a,b", '1,"2,5"']),
        (b"1,2\n3,4\n", {"header": False}, ["column_1,column_2", "1,2", "3,4"]),
        (b"1,2\n", {"header": False, "columns": ["x", "y"]}, ["x,y", "1,2"]),
        (b"a,b\nNA,-\n,x\n", {"nulls": ["NA", "-"], "steps": [{"derive": {"n": "a is null"}}]},
         ["a,b,n", ",,true", '"",x,false']),
        ("a,b\ncafé,ü\n".encode("latin-1"), {"encoding": "latin-1"}, ["a,b", "café,ü"]),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), {}, ["a,b", "1,2"]),
        (b"\xef\xbb\xbfa,b\n1,2\n", {}, ["a,b", "1,2"]),
        (b"a,b\r\n1,2\r\n", {}, ["a,b", "1,2"]),
        (b"a,b\r\n1,2\n3,4\r5,6", {}, ["a,b", "1,2", "3,4", "5,6"]),
        (b'a,b\n"x\ny","say ""hi"""\n', {}, ["a,b", '"x', 'y","say ""hi"""']),
        (b"a,b\n", {}, ["a,b"]),
        (b"a,b\n\n1,2\n\n", {}, ["a,b", "1,2"]),
        (b"a,,b\n1,2,3\n", {}, ["a,column_2,b", "1,2,3"]),
    ],
)  # fmt: skip
def test_csv(data: bytes, options: dict[str, Any], lines: list[str]) -> None:
    assert out(data, *options.pop("steps", []), **options) == lines


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("json", b'[{"a": 1, "b": "x"}, {"b": null, "c": [1, {"d": true}]}]'),
        ("json", b' [\n{"a":1,"b":"x"}\n,\n{"b":null,"c":[1,{"d":true}]}\n] '),
        ("ndjson", b'{"a": 1, "b": "x"}\n\n{"b": null, "c": [1, {"d": true}]}\r\n'),
        ("ndjson", gzip.compress(b'{"a": 1, "b": "x"}\n{"b": null, "c": [1, {"d": true}]}', mtime=0)),
    ],
)
def test_json(format: str, data: bytes) -> None:
    rows = [json.loads(line) for line in out(data, format=format, sink="out.ndjson")]

    assert rows == [{"a": 1, "b": "x", "c": None}, {"a": None, "b": None, "c": [1, {"d": True}]}]


def test_a_json_list_may_be_longer_than_what_is_in_memory() -> None:
    items = [{"number": number, "text": "x" * 1_000} for number in range(5_000)]

    result = worked(json.dumps(items).encode(), {"filter": "number >= 4999"}, format="json", sink="out.json")

    assert json.loads(result.text("out.json")) == items[-1:]
    assert result.result["rows_read"] == 5_000


@pytest.mark.parametrize("data", [b"[]", b" [ ] "])
def test_no_rows_are_no_fault_where_the_columns_are_named(data: bytes) -> None:
    assert out(data, {"filter": "a = 'x'"}, format="json", columns=["a"]) == ["a"]


@pytest.mark.parametrize(
    ("digits", "kind"),
    [
        ("9223372036854775808", "integer"),
        ("-99999999999999999999999999999999999999", "integer"),
        ("0.1", "decimal"),
        ("12345678901234567890.123456789012345678", "decimal"),
        ("1e3", "number"),
        ("123456789012345678901234567890123456789012345", "text"),
    ],
)
def test_numbers_come_out_as_they_went_in(digits: str, kind: str) -> None:
    ran = worked(b'[{"n": %s}]' % digits.encode(), format="json", sink="out.csv")

    assert ran.result["columns"] == [{"name": "n", "type": kind}]
    assert ran.text() == f"n\n{digits if kind != 'number' else '1000.0'}\n"


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("integer", ["1", "+7", " 42 ", "9223372036854775808", "007"],
         ["1.0", "1e3", "1_000", "0x10", "x", "nan", "1" * 39]),
        ("decimal(5,2)", ["1", "999.99", "-0.5", " 1.25 "], ["1000", "1.234", "1e2", "1_0", "inf", "1,5"]),
        ("number", ["1", "1e3", ".5", "-2.5e-3"], ["nan", "Infinity", "1e400", "1_0", "x"]),
        ("boolean", ["true", "No", "1", "F", "YES"], ["2", "on", "null"]),
        ("date", ["2026-02-28"], ["2026-02-30", "2026-2-8", "28.02.2026", "infinity", "today"]),
        ("timestamp", ["2026-01-31T12:00:00Z", "2026-01-31 12:00", "2026-01-31", "2026-01-31T12:00:00.123456+02:00"],
         ["2026-01-31T25:00:00Z", "now", "2026-01-31T12:00:00 Mars", "epoch"]),
    ],
)  # fmt: skip
def test_a_text_becomes_another_type_exactly_or_not_at_all(type: str, good: list[str], bad: list[str]) -> None:
    data = "\n".join(["a", *good, *(f'"{each}"' for each in bad)]).encode()

    ran = worked(data, {"cast": {"a": type}}, policy="drop")

    assert len(ran.text().splitlines()) == 1 + len(good)
    assert [one["line"] for one in ran.result["bad_rows"]["first"]] == [
        number + 2 + len(good) for number in range(len(bad))
    ]


def test_times_come_out_in_utc() -> None:
    lines = out(b"a\n2026-01-31T12:00:00+02:00\n2026-01-31\n", {"cast": {"a": "timestamp"}})

    assert lines == ["a", "2026-01-31T10:00:00.000000Z", "2026-01-31T00:00:00.000000Z"]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"select": ["nope"]}, "/steps/0/select: There is no column 'nope'; there are: id, customer, country"),
        ({"filter": "nope = 1"}, "/steps/0/filter: There is no column 'nope'; there are: id, customer, country"),
        ({"filter": "amount > 10"}, "> does not take integer and text together; cast one of them first."),
        ({"filter": "amount"}, "It gives text, not true or false."),
        ({"derive": {"x": "amount + 1"}}, "x: + needs a number, not text; cast it first."),
        ({"derive": {"x": "year(day)"}}, "year needs a date or time, not text; cast it first."),
        ({"group": {"by": [], "aggregates": {"x": {"sum": "amount"}}}}, "sum needs a number; 'amount' is text"),
        ({"group": {"by": ["id"], "aggregates": {"id": {"count": "*"}}}}, "'id' is a key"),
        ({"rename": {"id": "day"}}, "Two columns would have one name."),
        ({"join": {"with": {"rows": [{"id": 1}]}, "on": ["id"]}}, "id: does not take integer and text together"),
        ({"join": {"with": {"rows": [{"x": "1", "day": 1}]}, "on": {"id": "x"}}}, "Both have a column 'day'"),
    ],
)
def test_what_does_not_fit_the_columns_is_told(step: dict[str, Any], says: str) -> None:
    with pytest.raises(PermanentFailure) as told:
        worked(ORDERS, step)

    assert says in str(told.value)


def test_a_sum_that_is_too_large_for_any_type_is_told_and_not_rounded() -> None:
    data = b"a\n" + b"99999999999999999999999999999999999999\n" * 9

    with pytest.raises(PermanentFailure, match="cannot be worked on"):
        worked(data, {"cast": {"a": "integer"}}, {"group": {"by": [], "aggregates": {"s": {"sum": "a"}}}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 / 0", ""),
        ("7 % 0", ""),
        ("1.0 / 0.0", ""),
        ("7 / 2", "3.5"),
        ("1 + 2 * 3 - -4", "11"),
        ("(1 + 2) * 3", "9"),
        ("'it''s' = \"it's\"", "true"),
        ("null is null and not false", "true"),
        ("1 in (2, 3) or 2 not in (3)", "true"),
        ("upper(trim('  a ')) = 'A'", "true"),
        ("concat('a', 1, null, true)", "a1true"),
        ("substr('abcdef', 2, 3)", "bcd"),
        ("length('día')", "3"),
        ("replace(split_part('a-b-c', '-', 2), 'b', 'z')", "z"),
        ("contains('abc', 'b') and starts_with('abc', 'a') and ends_with('abc', 'c')", "true"),
        ("contains('a%c', '%') and not contains('abc', '.')", "true"),
        ("if(1 > 2, 'a', coalesce(null, 'b'))", "b"),
        ("round(2.345, 2)", "2.35"),
        ("round(5) + floor(1.7) + ceil(1.2) + abs(-3)", "11"),
        ("least(3, 1.5) + greatest(1, 2)", "3.5"),
        ("nullif(1, 1)", ""),
        ("year(to_date('2026-02-03')) * 100 + month(to_date('2026-02-03')) + day(to_date('2026-02-03'))", "202605"),
        ("to_date('3.2.2026', '%d.%m.%Y') = '2026-02-03'", "true"),
        ("to_date('nonsense', '%d.%m.%Y') is null and to_integer('x') is null and to_number('nan') is null", "true"),
        ("weekday(to_date('2026-11-28'))", "6"),
        ("hour(to_timestamp('2026-01-01T10:30:00Z')) + minute(to_timestamp('2026-01-01T10:30:00Z'))", "40"),
        ("add_days(to_date('2026-02-28'), 1)", "2026-03-01"),
        ("days_between(to_date('2026-01-01'), to_date('2026-12-31'))", "364"),
        ("to_text(1.50)", "1.50"),
        ("to_integer('12') + 1", "13"),
        ("`odd name` + 1", "8"),
        ("99999999999999999999 + 1", "100000000000000000000"),
        ("1e2 = 100", "true"),
    ],
)  # fmt: skip
def test_expressions(text: str, value: str) -> None:
    steps = [{"derive": {"x": text}}, {"select": ["x"]}]
    lines = out(b"odd name\n7\n", {"cast": {"odd name": "integer"}}, *steps)

    assert lines[1:] in ([value], [value and f'"{value}"'])


def test_where_duckdb_is_missing_the_other_types_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(NotInstalled, match="DuckDB"):
        registry.get("etl").prepare()
    registry.get("etl").preload()
    ready, missing = registry.prepare_installed()

    assert set(ready) == set(registry.performed()) - {"etl"}
    assert len(missing) == 1
