"""`manage.py migrate` beside sessions that hold locks, and beside another migrate."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import connection
from pytest_django.fixtures import Settings

from jobs.processes.listener import open_session
from smartqueue.management.commands import migrate
from tests.concurrency import Background, elsewhere
from tests.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Migrating is these statements, each in a transaction of its own; what they made is dropped."""
    statements: list[Any] = []

    def handle(self: Any, *args: Any, **options: Any) -> None:
        while statements:
            with connection.cursor() as cursor:
                cursor.execute(statements[0])
            statements.pop(0)

    monkeypatch.setattr(django_migrate.Command, "handle", handle)
    monkeypatch.setattr(migrate, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(migrate, "LONGEST_PAUSE_SECONDS", 0.05)
    yield statements
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE jobs_job DROP COLUMN IF EXISTS colour; DROP INDEX IF EXISTS job_colour_idx")


@contextmanager
def reader() -> Iterator[psycopg.Connection]:
    """One who reads, and goes on reading."""
    with elsewhere() as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs_job")
        yield session


def timeouts() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        return list(cursor.fetchone())


def test_it_stands_back_from_a_lock_tells_of_it_and_goes_on_when_it_is_free(
    does: list[Any], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MIGRATE_LOCK_TIMEOUT_SECONDS = 0.2
    before = timeouts()
    does += ["SELECT 1", "ALTER TABLE jobs_job ADD COLUMN colour text"]
    told = ""
    with reader() as session:
        migrating = Background(lambda: call_command("migrate"))

        def stood_back() -> bool:
            nonlocal told
            told += capsys.readouterr().err
            return "try 3 of 20" in told

        eventually(stood_back, within_seconds=30)
        pid = session.info.backend_pid

    assert migrating.result(60) is None
    assert does == []
    assert "A lock was not to be had within 0.2 s" in told
    assert f"pid {pid} of " in told
    assert timeouts() == before


def test_who_comes_later_waits_no_longer_than_the_timeout(does: list[Any], settings: Settings) -> None:
    settings.MIGRATE_LOCK_TIMEOUT_SECONDS = 0.5
    does += ["ALTER TABLE jobs_job ADD COLUMN colour text"]
    waits = []
    with reader(), open_session() as other:
        migrating = Background(lambda: call_command("migrate"))
        began = time.monotonic()
        while time.monotonic() < began + 3:
            asked = time.monotonic()
            other.execute("SELECT count(*) FROM jobs_job")
            waits.append(time.monotonic() - asked)
        assert migrating.waits

    assert migrating.result(60) is None
    print(f"the longest of {len(waits)} waits behind a migration: {max(waits):.2f} s")
    # some queued up behind it
    assert max(waits) > 0.2


def test_it_gives_up_in_the_end_and_says_who_was_in_the_way(
    does: list[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIGRATE_LOCK_TIMEOUT_SECONDS = 0.05
    monkeypatch.setattr(migrate, "TRIES", 3)
    does += ["ALTER TABLE jobs_job ADD COLUMN colour text"]

    with reader() as session:
        pid = session.info.backend_pid
        with pytest.raises(CommandError, match="Gave up: in 3 tries") as told:
            call_command("migrate")

    assert f"pid {pid} of " in str(told.value)
    assert len(does) == 1


def test_other_errors_are_not_tried_again(does: list[Any]) -> None:
    before = timeouts()
    does += ["ALTER TABLE no_such_table ADD COLUMN colour text"]

    with pytest.raises(Exception, match="no_such_table"):
        call_command("migrate")

    assert timeouts() == before


def test_no_limit_on_statements_cuts_it_off(does: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '100ms'")
    try:
        does += ["SELECT pg_sleep(0.5)"]
        call_command("migrate")
        assert timeouts()[1] == "100ms"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def test_an_index_made_beside_the_work_waits_for_as_long_as_it_must_and_for_nobody_else(
    does: list[Any], settings: Settings
) -> None:
    settings.MIGRATE_LOCK_TIMEOUT_SECONDS = 0.1
    does += ["CREATE INDEX CONCURRENTLY job_colour_idx ON jobs_job (category)"]
    with reader(), open_session() as other:
        migrating = Background(lambda: call_command("migrate"))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
        eventually(lambda: other.execute(waiting).fetchall(), within_seconds=30)
        # far longer than the limit; writers go on
        for _ in range(10):
            other.execute("UPDATE jobs_job SET category = ''")
            time.sleep(0.05)
        assert migrating.waits

    assert migrating.result(60) is None
    assert valid_index()


def test_what_is_left_of_an_index_that_was_cut_off_is_made_anew(does: list[Any]) -> None:
    make = "CREATE INDEX CONCURRENTLY job_colour_idx ON jobs_job (category)"
    with open_session() as session, reader():
        session.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            session.execute(make)
    assert not valid_index()
    does.append(make)

    call_command("migrate")

    assert valid_index()


def valid_index() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'job_colour_idx'::regclass")
        return bool(cursor.fetchone()[0])


def test_of_two_at_once_the_second_waits_for_the_first_even_when_it_makes_an_index(
    does: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    does += ["CREATE INDEX CONCURRENTLY job_colour_idx ON jobs_job (category)"]
    told = ""

    def second_waits() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return "Another migrate is under way" in told

    with reader():
        first = Background(lambda: call_command("migrate"))
        eventually(lambda: index_begun(), within_seconds=30)
        second = Background(lambda: call_command("migrate"))
        eventually(second_waits, within_seconds=30)
        assert len(does) == 1

    # Each waiting for the other, neither would come to an end.
    assert first.result(60) is None
    assert second.result(60) is None
    assert does == []


def index_begun() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('job_colour_idx')")
        return cursor.fetchone()[0] is not None


def test_who_only_asks_waits_for_nobody(does: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with open_session() as session:
        session.execute("SELECT pg_advisory_lock(%s, %s)", migrate.LOCK)
        call_command("migrate", "--check")
        call_command("migrate", "--plan")

    assert "Another migrate" not in capsys.readouterr().err


def test_the_lock_is_free_after_an_error(does: list[Any]) -> None:
    does += ["SELECT 1/0"]
    with pytest.raises(Exception, match="division by zero"):
        call_command("migrate")

    with open_session() as session:
        assert session.execute("SELECT pg_try_advisory_lock(%s, %s)", migrate.LOCK).fetchone() == (True,)
