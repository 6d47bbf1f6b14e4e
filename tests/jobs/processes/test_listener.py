"""Hearing notifications, and losing the session that hears them."""

import select
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from jobs.processes import listener as listener_module
from jobs.processes.listener import Listener
from jobs.queue.notify import notify
from tests.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(listener_module, "RECONNECT_SECONDS", 0.05)
    listener = Listener()
    yield listener
    listener.close()


def end_other_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%%'"
        )


def test_what_is_sent_is_received_once_and_ends_a_wait(listener: Listener) -> None:
    listener.listen(["one", "two"])

    notify([(name, "word") for name in ("one", "two", "three")])

    ready, _, _ = select.select(listener.sockets(), [], [], 5)
    assert ready
    assert sorted(eventually(listener.received)) == [("one", "word"), ("two", "word")]
    assert listener.received() == []


def test_receiving_does_not_wait(listener: Listener) -> None:
    assert listener.received() == []
    listener.listen(["one"])
    assert listener.received() == []


def test_only_a_new_connection_may_have_missed_something(listener: Listener) -> None:
    assert listener.listen(["one"])
    assert not listener.listen(["one"])
    assert not listener.listen(["one", "two"])


def test_a_lost_session_is_made_again_and_hears_all_channels(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    listener.listen(["one", "two"])
    end_other_sessions()

    # A wait ends, for the socket is readable; reading tells first why the session ends and then that it did.
    for _ in range(2):
        assert select.select(listener.sockets(), [], [], 5)[0]
        assert listener.received() == []
    assert listener.sockets() == []

    assert eventually(lambda: listener.listen(["one", "two"]))
    notify([("two", "")])
    assert eventually(listener.received) == [("two", "")]
    assert [record.getMessage() for record in caplog.records] == ["listening session lost; polling goes on"]


def test_a_database_that_is_away_is_asked_again_only_after_a_while(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(**_: object) -> None:
        asked.append(1)
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(listener_module, "RECONNECT_SECONDS", 60.0)
    monkeypatch.setattr(listener_module, "open_session", refuse)

    for _ in range(5):
        assert not listener.listen(["one"])

    assert asked == [1]
    assert listener.sockets() == []


def step(listener: Listener) -> None:
    """What a worker's loop does with it."""
    select.select(listener.sockets(), [], [], 0.05)
    listener.received()
    listener.listen(["one"])


def test_it_is_used_often_enough_to_be_kept(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "IDLE_SECONDS", 1.5)
    monkeypatch.setattr(listener_module, "PING_SECONDS", 0.2)
    listener.listen(["one"])
    (session,) = listener.sockets()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        step(listener)

    assert listener.sockets() == [session]
    notify([("one", "word")])
    assert eventually(listener.received) == [("one", "word")]


def test_one_that_does_not_answer_holds_nothing_up_and_is_lost(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener_module, "PING_SECONDS", 0.2)
    listener.listen(["one"])
    (session,) = listener.sockets()
    # it hears no more of it: as when the line is cut, or the server's process is stopped
    monkeypatch.setattr(listener, "received", list)

    eventually(lambda: step(listener) or session.closed)

    assert "a ping was not answered" in str([vars(record) for record in caplog.records])
    monkeypatch.undo()
    eventually(lambda: listener.listen(["one"]), every_seconds=0.2)
    notify([("one", "word")])
    assert eventually(listener.received) == [("one", "word")]
