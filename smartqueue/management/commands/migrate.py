"""manage.py migrate: Django's own, which holds up a queue that is in use only for moments, and one at a time."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

# Beside the leader's; the second number says whose.
LOCK = (0x5351, 2)
WAIT_SECONDS = 0.5
# In all some five minutes of pauses, in which everything goes on.
TRIES = 20
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 20.0
# Another held a lock, or needed one of ours: what was begun is undone, and may be begun again.
IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
INDEX_BESIDE_WORK = re.compile(
    r'\s*(?P<verb>CREATE|DROP|REINDEX)\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(IF\s+(NOT\s+)?EXISTS\s+)?"?(?P<name>\w+)',
    re.IGNORECASE,
)
# One that has been cut off leaves its index there, of no use and in the way.
BROKEN_INDEX = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(quote_ident(%s)) AND NOT indisvalid"
# Not what they said: it may hold what is in payloads.
OLDEST = """
    SELECT format('  pid %s of %s, %s, for %s s', pid, usename, state,
                  extract(epoch FROM clock_timestamp() - xact_start)::int)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    ORDER BY xact_start LIMIT 3
"""


class Command(migrate.Command):
    """Each migration is a transaction of its own, so that to try again is to go on."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with self.alone(connection), limited(connection):
            for number in range(1, TRIES + 1):
                try:
                    super().handle(*args, **options)
                    return
                except OperationalError as error:
                    # Inside somebody's transaction nothing can be tried again.
                    if not isinstance(error.__cause__, IN_THE_WAY) or connection.in_atomic_block:
                        raise
                    self.stand_back(connection, number, error)

    @contextlib.contextmanager
    def alone(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """Hold a lock that only one has. It is asked for, not waited for: an index that is being made beside the work
        waits for every statement that is under way, so one that waited for us would never end."""
        for number in range(10**9):
            if one(connection, "SELECT pg_try_advisory_lock(%s, %s)", LOCK):
                break
            if number == 0:
                self.say("Another migrate is under way: waiting until it has ended.")
            time.sleep(WAIT_SECONDS)
        try:
            yield
        finally:
            with contextlib.suppress(DatabaseError):
                one(connection, "SELECT pg_advisory_unlock(%s, %s)", LOCK)

    def stand_back(self, connection: BaseDatabaseWrapper, number: int, error: OperationalError) -> None:
        """Let those go on who queued up behind us; give up when it was tried often enough."""
        within = f"{settings.MIGRATE_LOCK_TIMEOUT_SECONDS:g} s"
        if number == TRIES:
            raise CommandError(
                f"Gave up: in {TRIES} tries the locks were not to be had within {within} each. What was migrated stays;"
                f" migrate again to go on. Open transactions, the oldest first:\n{oldest(connection)}"
            ) from error
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (number - 1), LONGEST_PAUSE_SECONDS)
        self.say(
            f"\nA lock was not to be had within {within}: try {number + 1} of {TRIES} in {pause:g} s."
            f" Open transactions, the oldest first:\n{oldest(connection)}"
        )
        time.sleep(pause)

    def say(self, text: str) -> None:
        """At once, even into a file: who waits wants to know what for."""
        self.stderr.write(text)
        self.stderr.flush()


@contextlib.contextmanager
def limited(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait for no lock for long, since all who come later wait behind us; but work for as long as it takes."""
    before = {name: one(connection, "SELECT current_setting(%s)", [name]) for name in timeouts()}
    for name, value in timeouts().items():
        give(connection, name, value)
    try:
        with connection.execute_wrapper(index_beside_work):
            yield
    finally:
        with contextlib.suppress(DatabaseError):
            for name, value in before.items():
                give(connection, name, value)


def timeouts() -> dict[str, str]:
    return {"lock_timeout": f"{int(settings.MIGRATE_LOCK_TIMEOUT_SECONDS * 1000)}ms", "statement_timeout": "0"}


def index_beside_work(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """CONCURRENTLY waits for transactions that began earlier, and holds up none of them: it may take its time.

    What is left of an index that was cut off is dropped first."""
    found = INDEX_BESIDE_WORK.match(str(sql))
    if not found:
        return execute(sql, params, many, context)
    connection = context["connection"]
    limit = one(connection, "SELECT current_setting(%s)", ["lock_timeout"])
    give(connection, "lock_timeout", "0")
    try:
        if found["verb"].upper() == "CREATE" and one(connection, BROKEN_INDEX, [found["name"]]):
            with connection.cursor() as cursor:
                cursor.execute(f'DROP INDEX CONCURRENTLY "{found["name"]}"')
        return execute(sql, params, many, context)
    finally:
        with contextlib.suppress(DatabaseError):
            give(connection, "lock_timeout", limit)


def give(connection: BaseDatabaseWrapper, name: str, value: str) -> None:
    one(connection, "SELECT set_config(%s, %s, false)", [name, value])


def oldest(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        return "\n".join(line for (line,) in cursor.fetchall()) or "  none is left"


def one(connection: BaseDatabaseWrapper, sql: str, params: Any) -> Any:
    """The first value of the first row, if any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    return row[0] if row else None
