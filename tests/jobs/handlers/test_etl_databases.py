"""Named databases of the operator: what etl jobs read from them and write to them, and what they cannot."""

import csv
import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Answer, Done, PermanentFailure, Stopped, StopReason, TemporaryFailure
from smartqueue.env import env_connections
from tests.conftest import World
from tests.eventually import eventually
from tests.jobs.handlers.etl import Kept
from tests.jobs.handlers.fakes import make_context
from tests.processes import database_url

ALLOWED = {"connections": ["warehouse", "locked"]}
PASSWORD = "hunter2-canary"


@pytest.fixture
def warehouse(settings: Settings, transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """Tables in the test's own server, in a schema of their own, which goes with the test."""
    url = database_url()
    settings.CONNECTIONS = {
        "warehouse": {"url": url, "read": True, "write": ["shop.totals"]},
        "locked": {"url": url, "read": False, "write": []},
        "secret": {"url": url, "read": True, "write": ["shop.totals"]},
        "away": {"url": f"postgres://me:{PASSWORD}@127.0.0.1:1/none", "read": True, "write": []},
    }
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        session.execute("CREATE SCHEMA shop")
        session.execute(
            "CREATE TABLE shop.orders (id bigint, country text, amount numeric(12,2), at timestamptz, ok boolean)"
        )
        session.execute(
            "INSERT INTO shop.orders "
            "SELECT n, (ARRAY['DE','FR'])[n % 2 + 1], n + 0.25, timestamptz '2026-01-01T00:00Z', n % 2 = 0 "
            "FROM generate_series(1, 10) n UNION ALL SELECT 9223372036854775807, '', null, null, null"
        )
        session.execute("CREATE TABLE shop.totals (country text PRIMARY KEY, total numeric, n integer DEFAULT 7)")
        session.execute("INSERT INTO shop.totals VALUES ('DE', 1), ('GB', 2)")
        yield session
        session.execute("DROP SCHEMA shop CASCADE")


def whole(payload: Mapping[str, Any], folder: Path, org_settings: Mapping[str, Any] = ALLOWED) -> tuple[Answer, Kept]:
    """gather(), run() and deliver(), as one attempt."""
    handler = registry.get("etl")
    handler.check(payload, org_settings)
    reporter = Kept()
    context = make_context("etl", payload, reporter=reporter, folder=folder, org_settings=org_settings)
    handler.gather(context)
    return handler.deliver(context, handler.run(context)), reporter


def reading(select: str, **more: Any) -> dict[str, Any]:
    source = {"connection": "warehouse", "select": select}
    return {"source": source, "sink": {"artefact": "out.csv"}, **more}


def writing(rows: list[dict[str, Any]], **sink: Any) -> dict[str, Any]:
    return {"source": {"rows": rows}, "sink": {"connection": "warehouse", "table": "shop.totals", **sink}}


def totals(session: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return session.execute("SELECT country, total::text, n FROM shop.totals ORDER BY 1").fetchall()


def test_a_select_is_read_with_its_types(warehouse: psycopg.Connection[Any], tmp_path: Path) -> None:
    columns = "id, country, amount, at, ok, amount / 3 AS third"
    select = f"SELECT {columns} FROM shop.orders WHERE id < 3 OR id > 99 ORDER BY id -- all"  # noqa: S608

    answer, reporter = whole(reading(select), tmp_path)

    assert isinstance(answer, Done)
    assert [column["type"] for column in answer.result["columns"]] == [
        "integer", "text", "decimal", "timestamp", "boolean", "decimal",
    ]  # fmt: skip
    assert list(csv.reader(io.StringIO(reporter.files["out.csv"].decode())))[1:] == [
        ["1", "FR", "1.25", "2026-01-01T00:00:00.000000Z", "false", "0.41666666666666666667"],
        ["2", "DE", "2.25", "2026-01-01T00:00:00.000000Z", "true", "0.75000000000000000000"],
        ["9223372036854775807", "", "", "", "", ""],
    ]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT 1; DROP TABLE shop.orders",
        "SELECT 1) TO PROGRAM 'touch /tmp/etl-escape' --",
        "SELECT 1) TO '/tmp/etl-escape' --",
        "SELECT 1 /* ",
        "SELECT 1\n) TO STDOUT; DELETE FROM shop.orders; COPY (SELECT 1",
        "WITH gone AS (DELETE FROM shop.orders RETURNING *) SELECT * FROM gone",
        "SELECT nextval('orgs_org_id_seq')",
        "SELECT set_config('transaction_read_only', 'off', false) FROM shop.orders; SELECT 1",
        "SELECT * INTO shop.copy FROM shop.orders",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM shop.orders FOR UPDATE",
        "SELECT id AS a, id AS a FROM shop.orders",
        "SELECT 1 FROM nowhere",
        "SELECT $1::text",
        "DELETE FROM shop.orders RETURNING *",
        "COPY shop.orders TO PROGRAM 'true'",
        "SELECT",
    ],
)
def test_a_select_can_do_nothing_else(warehouse: psycopg.Connection[Any], tmp_path: Path, select: str) -> None:
    with pytest.raises(PermanentFailure) as told:
        whole(reading(select), tmp_path)

    assert str(told.value).startswith(("/source: ", "warehouse: "))
    assert warehouse.execute("SELECT count(*) FROM shop.orders").fetchone() == (11,)
    assert warehouse.execute("SELECT to_regclass('shop.copy')").fetchone() == (None,)
    assert not Path("/tmp/etl-escape").exists()


def test_a_select_that_never_ends_ends_by_the_time_of_the_job(
    warehouse: psycopg.Connection[Any], tmp_path: Path
) -> None:
    handler = registry.get("etl")
    context = make_context(
        "etl", reading("SELECT pg_sleep(60)"), folder=tmp_path, timeout_seconds=1, org_settings=ALLOWED
    )

    with pytest.raises(TemporaryFailure, match="statement timeout"):
        handler.gather(context)


def test_a_select_stops_when_the_job_is_cancelled(warehouse: psycopg.Connection[Any], tmp_path: Path) -> None:
    context = make_context("etl", reading("SELECT pg_sleep(60)"), folder=tmp_path, org_settings=ALLOWED)
    asleep = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"

    def stop() -> None:
        eventually(lambda: warehouse.execute(asleep).fetchone() is not None)
        context.stop(StopReason.CANCELLED)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Stopped):
        registry.get("etl").gather(context)
    thread.join()

    eventually(lambda: warehouse.execute(asleep).fetchone() is None)
    assert context.seconds_left() > 10


@pytest.mark.parametrize(
    ("sink", "rows"),
    [
        ({"mode": "append"}, [("DE", "1", 7), ("ES", "5.50", 7), ("FR", None, 7), ("GB", "2", 7)]),
        ({"mode": "replace"}, [("ES", "5.50", 7), ("FR", None, 7)]),
    ],
)
def test_rows_are_added_or_take_the_place_of_all(
    warehouse: psycopg.Connection[Any], tmp_path: Path, sink: dict[str, Any], rows: list[tuple[Any, ...]]
) -> None:
    answer, _ = whole(writing([{"country": "ES", "total": "5.50"}, {"country": "FR", "total": None}], **sink), tmp_path)

    assert isinstance(answer, Done)
    assert answer.result["rows_written"] == 2
    assert totals(warehouse) == rows


def test_rows_are_updated_by_their_key_however_often(warehouse: psycopg.Connection[Any], tmp_path: Path) -> None:
    payload = writing([{"country": "DE", "total": 10}, {"country": "=ES", "total": 20}], mode="upsert", key=["country"])
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        whole(payload, tmp_path / attempt)

    # no cell is changed for a spreadsheet's sake on its way to a database
    assert totals(warehouse) == [("=ES", "20", 7), ("DE", "10", 7), ("GB", "2", 7)]


@pytest.mark.parametrize(
    ("rows", "sink", "says"),
    [
        ([{"country": "FR"}, {"country": "DE"}], {}, "duplicate key"),
        ([{"country": "FR", "nope": 1}], {}, 'column "nope" does not exist'),
        ([{"country": "FR", "total": "much"}], {}, "invalid input syntax"),
        ([{"country": "FR"}], {"mode": "upsert", "key": ["total"]}, "no column 'total'"),
        ([{"country": "FR", "total": 1}], {"mode": "upsert", "key": ["total"]}, "no unique or exclusion constraint"),
        ([{'x"; DROP TABLE shop.totals; --': "FR"}], {}, "does not exist"),
    ],
)
def test_what_the_table_refuses_changes_nothing(
    warehouse: psycopg.Connection[Any], tmp_path: Path, rows: list[dict[str, Any]], sink: dict[str, Any], says: str
) -> None:
    with pytest.raises(PermanentFailure) as told:
        whole(writing(rows, **sink), tmp_path)

    assert says in str(told.value)
    assert totals(warehouse) == [("DE", "1", 7), ("GB", "2", 7)]


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        (reading("SELECT 1") | {"source": {"connection": "secret", "select": "SELECT 1"}}, "/source/connection"),
        (reading("SELECT 1") | {"source": {"connection": "no-such", "select": "SELECT 1"}}, "/source/connection"),
        (reading("SELECT 1") | {"source": {"connection": "locked", "select": "SELECT 1"}}, "/source/connection"),
        (reading("SELECT 1") | {"source": {"connection": "warehouse"}}, "/source/select"),
        (reading("SELECT 1") | {"source": {"rows": [], "select": "SELECT 1"}}, "/source/select"),
        (writing([], connection="secret"), "/sink/connection"),
        (writing([], connection="no-such"), "/sink/connection"),
        (writing([], connection="locked"), "/sink/connection"),
        (writing([], table="shop.orders"), "/sink/table"),
        (writing([], table='shop.totals"; --'), "/sink/table"),
        (writing([], mode="upsert"), "/sink/key"),
        (writing([], key=["country"]), "/sink/key"),
    ],
)
def test_only_what_the_organisation_may_use_is_named(
    warehouse: psycopg.Connection[Any], tmp_path: Path, payload: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidPayload) as told:
        whole(payload, tmp_path)

    assert [place for place, _ in told.value.errors] == [pointer]


def test_one_of_others_and_one_that_is_not_there_are_refused_alike(
    warehouse: psycopg.Connection[Any], tmp_path: Path
) -> None:
    sentences = set()
    for name in ("secret", "no-such", "away"):
        with pytest.raises(InvalidPayload) as told:
            whole(reading("SELECT 1") | {"source": {"connection": name, "select": "SELECT 1"}}, tmp_path)
        sentences.add(told.value.errors[0])
    assert len(sentences) == 1


def test_where_a_database_is_stays_unsaid(
    warehouse: psycopg.Connection[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    payload = reading("SELECT 1") | {"source": {"connection": "away", "select": "SELECT 1"}}

    with pytest.raises(TemporaryFailure) as told:
        whole(payload, tmp_path, {"connections": ["away"]})

    assert str(told.value) == "The connection away cannot be opened now."
    assert told.value.__cause__ is None
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON object"),
        ("[1]", "no JSON object"),
        ('{"a": {}}', "no JSON object"),
        ('{"a": 1}', "no JSON object"),
        ('{"a": {"url": "mysql://me:PW@db/x"}}', "a: url must begin with postgres://"),
        ('{"a b": {"url": "postgres://me:PW@db/x"}}', "names are of letters"),
        ('{"a": {"url": "postgres://me:PW@db/x", "read": "yes"}}', "a: read is true or false"),
        ('{"a": {"url": "postgres://me:PW@db/x", "write": "t"}}', "a: read is true or false"),
        ('{"a": {"url": "postgres://me:PW@db/x", "write": ["a.b.c"]}}', "a: expected url, read and write"),
        ('{"a": {"url": "postgres://me:PW@db/x", "more": 1}}', "a: expected url, read and write"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name_and_never_its_value(
    monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.setenv("SMARTQUEUE_CONNECTIONS", text)

    with pytest.raises(ImproperlyConfigured) as told:
        env_connections("SMARTQUEUE_CONNECTIONS")

    assert f"SMARTQUEUE_CONNECTIONS: {says}" in str(told.value)
    assert "PW" not in str(told.value)


def test_a_right_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTQUEUE_CONNECTIONS", '{"a": {"url": "postgresql://db/x", "write": ["t", "s.t"]}}')

    assert env_connections("SMARTQUEUE_CONNECTIONS") == {
        "a": {"url": "postgresql://db/x", "read": False, "write": ["t", "s.t"]}
    }


def test_they_are_named_by_no_page(world: World, settings: Settings) -> None:
    """Which there are is the operator's matter: the schema that everybody may read names none."""
    settings.CONNECTIONS = {"warehouse": {"url": connection.settings_dict["NAME"], "read": True, "write": []}}
    assert "warehouse" not in str(registry.get("etl").schema)
