"""data-export: one snapshot, and an end when it is asked to stop, whatever the database is doing."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import BooleanField, Func, QuerySet, Value
from pytest_django.fixtures import Settings

from jobs.exports import OrgReader, reader
from jobs.handlers.base import StopReason
from jobs.handlers.datasets import Question
from jobs.models import Artefact, Job
from jobs.processes.executor import Attempt
from jobs.queue.finish import Ended
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_job
from tests.jobs.handlers.exports import export_attempt, run
from tests.jobs.handlers.fakes import make_claimed

pytestmark = pytest.mark.django_db(transaction=True)

NAP = "%(function)s(%(expressions)s) IS NOT NULL"


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")


def sleeping() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def beside(attempt: Attempt) -> tuple[threading.Thread, list[Ended]]:
    ends: list[Ended] = []

    def work() -> None:
        ends.append(attempt.run())
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, ends


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (StopReason.CANCELLED, "cancelled"),
        (StopReason.TIMEOUT, "timeout"),
        (StopReason.DRAIN, "released"),
        (StopReason.LEASE_LOST, "released"),
    ],
)
def test_a_long_statement_is_broken_off(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: StopReason, outcome: str
) -> None:
    rows_of = reader.rows_of

    def slow(question: Question, org_id: int) -> "QuerySet[Any, Any]":
        nap = Func(Value(30), function="PG_SLEEP", template=NAP, output_field=BooleanField())
        return rows_of(question, org_id).filter(nap)

    monkeypatch.setattr(reader, "rows_of", slow)
    attempt = export_attempt(world.org, None)
    thread, ends = beside(attempt)
    eventually(lambda: sleeping() == 1)

    asked = time.monotonic()
    attempt.context.stop(reason)
    asking = time.monotonic() - asked
    thread.join(10)

    assert time.monotonic() - asked < 2.0
    assert asking < 0.2
    assert [end.outcome for end in ends] == [outcome]
    eventually(lambda: sleeping() == 0, within_seconds=2.0)
    assert list((tmp_path / "work").iterdir()) == []
    assert not Artefact.objects.exists()


def test_it_stops_between_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.handlers.data_export.CHECK_ROWS", 1)
    for _ in range(3):
        make_job(world.org)
    attempt = export_attempt(world.org, None)
    monkeypatch.setattr(attempt.reporter, "progress", lambda *_: attempt.context.stop(StopReason.CANCELLED))

    end = attempt.run()

    assert end.outcome == "cancelled"
    assert not Artefact.objects.exists()


def test_what_is_stopped_before_it_begins_asks_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = export_attempt(world.org, None)
    attempt.context.stop(StopReason.CANCELLED)
    monkeypatch.setattr(reader.OrgExtract, "rows", lambda self: pytest.fail("it went on"))

    assert attempt.run().outcome == "cancelled"


def test_all_rows_are_of_one_moment(world: World) -> None:
    jobs = [make_job(world.org, name=f"job-{number}") for number in range(1_200)]
    asked = Question("jobs", ("id", "title"), {}, "created", 5_000)

    with OrgReader(make_claimed("data-export", {}, org_id=world.org.pk)).read(asked) as extract:
        rows = extract.rows()
        seen = [next(rows)]
        Job.objects.filter(pk__gte=jobs[600].pk).update(title="changed")
        Job.objects.filter(pk__in=[job.pk for job in jobs[700:]]).delete()
        make_job(world.org, name="late")
        seen += rows

    assert seen == [(job.pk, "") for job in jobs]
    assert extract.total == 1_200


def test_nothing_can_be_written_in_a_snapshot(world: World) -> None:
    with reader.snapshot(), pytest.raises(Exception, match="read-only transaction"):
        Job.objects.using(reader.ALIAS).update(title="changed")


def test_a_snapshot_leaves_no_session(world: World) -> None:
    attempt = export_attempt(world.org, None)
    before = sessions()

    assert run(attempt).result["rows"] == 1

    eventually(lambda: sessions() == before)
    with pytest.raises(Exception, match=reader.ALIAS):
        connections[reader.ALIAS]


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
