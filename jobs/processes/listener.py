"""A session that listens for notifications. Losing it costs nothing but the poll interval."""

import logging
import time
from collections.abc import Iterable

import psycopg
from django.db import connection
from psycopg import sql as names

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0


class Listener:
    """LISTENs on channels with a connection of its own, which a select() can wait for."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection | None = None
        self._channels: set[str] = set()
        self._try_after = 0.0

    def listen(self, channels: Iterable[str]) -> bool:
        """Also listen on these; True when a connection had to be made, so that something may have been missed."""
        wanted = set(channels) - self._channels
        if (self._connection is not None and not wanted) or time.monotonic() < self._try_after:
            return False
        made = self._connection is None
        try:
            if self._connection is None:
                self._connection, self._channels = open_session(), set()
            for channel in sorted(set(channels) - self._channels):
                self._connection.execute(names.SQL("LISTEN {}").format(names.Identifier(channel)))
                self._channels.add(channel)
        except psycopg.Error as error:
            self.lost(error)
            return False
        return made

    def sockets(self) -> list[psycopg.Connection]:
        return [self._connection] if self._connection is not None else []

    def received(self) -> list[tuple[str, str]]:
        """(channel, payload) of what has arrived; does not wait."""
        if self._connection is None:
            return []
        try:
            return [(note.channel, note.payload) for note in self._connection.notifies(timeout=0)]
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
            self._connection = None


def open_session() -> psycopg.Connection:
    """A plain session with Django's parameters, outside its connection handling."""
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    params.pop("context", None)
    return psycopg.connect(**params, autocommit=True)
