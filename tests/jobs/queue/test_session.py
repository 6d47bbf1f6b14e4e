"""What our sessions ask of the server, and which server they refuse."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from jobs.durability import NotDurable
from jobs.handlers.base import running
from jobs.processes.listener import open_session
from tests.eventually import eventually
from tests.processes import Fleet, database_url

BOUNDS = ("statement_timeout", "idle_in_transaction_session_timeout")


def shown(session: Any, name: str) -> str:
    return str(session.execute(f"SHOW {name}").fetchone()[0])


@pytest.fixture
def sessions(transactional_db: None) -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for session in made:
        session.close()


def fresh() -> Any:
    """A session as this thread's next query would make it."""
    return connection.get_new_connection(connection.get_connection_params())


def test_our_own_are_bounded_in_time_and_a_tasks_is_not(sessions: list[Any], settings: Any) -> None:
    settings.STATEMENT_TIMEOUT_SECONDS = 7
    settings.IDLE_TRANSACTION_SECONDS = 8
    ours, raw = fresh(), open_session()
    running.set(object())  # type: ignore[arg-type]
    try:
        of_a_task = fresh()
    finally:
        running.set(None)
    sessions += [ours, raw, of_a_task]

    assert [shown(ours, name) for name in BOUNDS] == ["7s", "8s"]
    assert [shown(raw, name) for name in BOUNDS] == ["7s", "8s"]
    assert [shown(of_a_task, name) for name in BOUNDS] == ["0", "0"]


def test_an_acknowledgement_waits_for_the_flush(sessions: list[Any]) -> None:
    sessions += [fresh(), open_session()]

    assert [shown(session, "synchronous_commit") for session in sessions] == ["on", "on"]


def test_over_a_network_the_server_notices_soon_that_we_are_gone(sessions: list[Any]) -> None:
    """On a Unix socket they cannot be seen: that they are asked for is seen by the hosts that are cut off."""
    session = open_session()
    sessions.append(session)
    if session.info.host.startswith("/"):
        assert shown(session, "tcp_keepalives_idle") == "0"
        return
    assert shown(session, "tcp_keepalives_idle") == "2"
    assert shown(session, "tcp_user_timeout") == "3500ms"


def test_a_session_that_is_to_be_used_often_ends_when_it_is_not(sessions: list[Any]) -> None:
    session = open_session(idle_seconds=0.1)
    sessions.append(session)

    def gone() -> bool:
        time.sleep(0.3)
        try:
            session.execute("SELECT 1")
        except psycopg.OperationalError:
            return True
        return False

    assert eventually(gone)


# --- Refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_server_that_loses_what_it_acknowledges_is_refused(
    transactional_db: None, settings: Any, setting: str, tmp_path: Path
) -> None:
    """Of the three settings the one that a database may have for itself: here, while other tests go on."""
    settings.UNDURABLE_DATABASE = False
    name = connection.settings_dict["NAME"]
    with open_session_of_tests() as session:
        session.execute(f"ALTER DATABASE {name} SET {setting} = off")
        try:
            with pytest.raises(NotDurable, match=f"{setting} off"):
                open_session()
            with pytest.raises(NotDurable, match=f"{setting} off"):
                fresh()
            fleet = Fleet(tmp_path, SMARTQUEUE_TESTING="0", SMARTQUEUE_DEBUG="1", DATABASE_URL=database_url())
            try:
                commands = ["runworker", "runscheduler", "runwatchdog", "runstream kafka", "runsource sqs"]
                started = [fleet.manage(*command.split()) for command in commands]
                for process in started:
                    assert process.ended() == 1
                    assert f"{setting} off" in process.text
            finally:
                fleet.close()
        finally:
            session.execute(f"ALTER DATABASE {name} RESET {setting}")


def open_session_of_tests() -> "psycopg.Connection[Any]":
    params = connection.get_connection_params()
    return psycopg.connect(
        **{name: params[name] for name in ("dbname", "user", "password", "host", "port") if name in params},
        autocommit=True,
    )
