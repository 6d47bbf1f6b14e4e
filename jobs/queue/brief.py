"""Transactions that lock rows of the queue and come back to us in between."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from jobs.queue import sql

IDLE_MILLISECONDS = 10_000


@contextmanager
def brief() -> Iterator[None]:
    """A transaction that a process which stops within it (paused, out of memory, cut off) does not keep for ever:

    what it locks, nobody could renew, end or take back. A single statement needs none of this: it is committed by
    the server, whatever has become of us.
    """
    with transaction.atomic():
        sql.run("brief", milliseconds=IDLE_MILLISECONDS)
        yield
