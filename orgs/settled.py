"""Ids below which no more can come.

Ids are given before commit: 5 may be committed after 6. Who is given an id has a lock on the table, until it is over.
Thus all that is up to an id is settled once all are gone that had such a lock after a row with this id was seen.
"""

from dataclasses import dataclass

from django.db import connection
from psycopg import sql

WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND pid IS DISTINCT FROM pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row that was seen, and whoever might still commit one before it."""

    last_id: int
    writers: frozenset[str]


class Settled:
    """Of one table, call by call: each waits only for those who were there before."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.mark: Mark | None = None

    def upto(self, after: int) -> int:
        """The id that all is settled up to; `after`, which was before, where that is no further yet.

        What is read up to it must be read by a later statement: that sees what they committed.
        """
        if self.mark is None or self.mark.last_id <= after:
            self.mark = self.seen(after)
        if self.mark is None or (self.mark.writers and self.mark.writers & self.writers()):
            return after
        return self.mark.last_id

    def seen(self, after: int) -> Mark | None:
        """The newest row, and then who writes: in this order, or one could come in between and not be noticed."""
        newest = sql.SQL("SELECT max(id) FROM {} WHERE id > %s").format(sql.Identifier(self.table))
        with connection.cursor() as cursor:
            cursor.execute(newest, [after])
            (last_id,) = cursor.fetchone()
        return None if last_id is None else Mark(last_id, self.writers())

    def writers(self) -> frozenset[str]:
        """The transactions that may have been given ids."""
        with connection.cursor() as cursor:
            cursor.execute(WRITERS, [self.table])
            return frozenset(name for (name,) in cursor.fetchall())
