"""A session that listens for notifications. Losing it costs nothing but the poll interval."""

import logging
import time
from collections.abc import Iterable

import psycopg
from django.db import connection
from psycopg import sql as names

from jobs.queue.session import begin, milliseconds

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
# A listener whose process is stopped keeps the server from forgetting any notification: its session is ended.
IDLE_SECONDS, PING_SECONDS = 60.0, 15.0
# Told apart in pg_stat_activity.
PING = b"SELECT 1 AS listening"


class Listener:
    """LISTENs on channels with a connection of its own, which a select() can wait for."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection | None = None
        self._channels: set[str] = set()
        self._try_after = 0.0
        self._used = 0.0
        # A ping is on its way, and its answer has not come.
        self._pinged = False

    def listen(self, channels: Iterable[str]) -> bool:
        """Also listen on these; True when a connection had to be made, so that something may have been missed."""
        wanted = set(channels) - self._channels
        if self._connection is not None and not wanted:
            self.ping()
            return False
        if self._pinged or time.monotonic() < self._try_after:
            return False
        made = self._connection is None
        try:
            if self._connection is None:
                self._connection, self._channels = open_session(idle_seconds=IDLE_SECONDS), set()
            for channel in sorted(set(channels) - self._channels):
                self._connection.execute(names.SQL("LISTEN {}").format(names.Identifier(channel)))
                self._channels.add(channel)
            self._used = time.monotonic()
        except psycopg.Error as error:
            self.lost(error)
            return False
        return made

    def ping(self) -> None:
        """Now and then, so that the session is not taken for a stopped one's, and its loss is noticed.

        Its answer is not waited for: a loop that hung on a session that only makes it early would be late with all.
        """
        session = self._connection
        if session is None or time.monotonic() < self._used + PING_SECONDS:
            return
        try:
            if self._pinged:
                raise psycopg.OperationalError("a ping was not answered")
            session.pgconn.send_query(PING)
            session.pgconn.flush()
            self._used, self._pinged = time.monotonic(), True
        except psycopg.Error as error:
            self.lost(error)

    def take_answer(self, session: psycopg.Connection) -> None:
        """Of the ping, if it has come."""
        while self._pinged and not session.pgconn.is_busy():
            self._pinged = session.pgconn.get_result() is not None

    def sockets(self) -> list[psycopg.Connection]:
        return [self._connection] if self._connection is not None else []

    def received(self) -> list[tuple[str, str]]:
        """(channel, payload) of what has arrived; does not wait."""
        if self._connection is None:
            return []
        try:
            notes = [(note.channel, note.payload) for note in self._connection.notifies(timeout=0)]
            self.take_answer(self._connection)
            return notes
        except psycopg.Error as error:
            self.lost(error)
            return []

    def lost(self, error: psycopg.Error) -> None:
        log.warning("listening session lost; polling goes on", extra={"error": str(error).strip()})
        self.close()
        self._try_after = time.monotonic() + RECONNECT_SECONDS

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._pinged = None, False


def open_session(*, idle_seconds: float | None = None) -> psycopg.Connection:
    """A plain session with Django's parameters, outside its connection handling.

    With `idle_seconds` the server ends it when it is not used for so long: for one that is used more often, and whose
    process may be stopped while it holds what others need.
    """
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    params.pop("context", None)
    session = psycopg.connect(**params, autocommit=True)
    try:
        begin(session)
        if idle_seconds is not None:
            session.execute("SELECT set_config('idle_session_timeout', %s, false)", [milliseconds(idle_seconds)])
    except BaseException:
        session.close()
        raise
    return session
