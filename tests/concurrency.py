"""Two things at once, each on a database connection of its own. For tests with django_db(transaction=True)."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from jobs.processes.listener import open_session
from smartqueue.embedded import Server


def at_once(*calls: Callable[[], Any], within_seconds: float = 20.0) -> list[Any]:
    """What each call returned or raised, started together."""
    outcomes: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(within_seconds)
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within_seconds)
        assert not thread.is_alive(), "still waiting: a deadlock?"
    return outcomes


@contextmanager
def elsewhere() -> Iterator[psycopg.Connection]:
    """An open transaction of another session, to lock rows from; rolled back at the end."""
    session = open_session()
    try:
        session.execute("BEGIN")
        yield session
        # Its locks are free when this returns; a closed session keeps them for a moment.
        session.execute("ROLLBACK")
    finally:
        session.close()


def superuser_session() -> psycopg.Connection:
    """Of the tests' own server; with DATABASE_URL of a person's, as whoever that names, who must be one."""
    server = Server(Path(os.environ["SMARTQUEUE_STATE_DIR"]))
    if not server.data.exists():
        return open_session()
    return psycopg.connect(**{**server.superuser(), "dbname": connection.settings_dict["NAME"]}, autocommit=True)


class Background:
    """A call in a thread that is expected to wait for something: `result()` joins it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._outcome: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._outcome.append(call())
        except Exception as error:
            self._outcome.append(error)
        finally:
            connection.close()

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def result(self, within_seconds: float = 20.0) -> Any:
        self._thread.join(within_seconds)
        assert self._outcome, "still waiting"
        return self._outcome[0]


def waiting_for_locks() -> int:
    """How many statements of this database wait for a lock now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
