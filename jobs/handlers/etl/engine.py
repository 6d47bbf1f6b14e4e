"""DuckDB as etl jobs use it: bounded in memory, threads and disk, and shut off from everything but its folder."""

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from jobs.handlers.base import Context, PermanentFailure
from jobs.handlers.etl.types import Typed, literal

if TYPE_CHECKING:
    import duckdb

FETCH_ROWS = 5_000
LOOK_SECONDS = 0.5
# What the engine needs beside the memory it counts: its own code, threads, what Python holds of rows.
BESIDE_BYTES = 150_000_000


@dataclass(frozen=True)
class Relation:
    """Rows on their way: a query that yields k (a row's own number), line (of the source, if any) and the columns."""

    sql: str
    # By the name that people know; the engine knows them as c0, c1, … whatever they are called.
    columns: Mapping[str, Typed]
    # Whether to run the query again costs little and gives each row the same k.
    settled: bool = True
    # Columns that the query yields too: a column by its name made another type, as the first step will ask.
    made: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def picked(self) -> str:
        return ", ".join(column.sql for column in self.columns.values())


@dataclass
class Engine:
    """One session of DuckDB, for one attempt."""

    context: Context
    connection: "duckdb.DuckDBPyConnection"
    names: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))
    # Where in the whole the part is that runs now, and how much of it that part is.
    done: float = 0.0
    part: float = 1.0

    def reached(self, part: int, parts: int, message: str) -> None:
        """So many of the parts are over."""
        self.done, self.part = part / parts, 1 / parts
        self.context.progress(self.done, message)

    def tried(self, sql: str) -> "duckdb.DuckDBPyConnection":
        """The engine's own errors are the caller's, but for what no other way would mend. Raises Stopped."""
        self.context.check_stopped()
        with self.bounded():
            return self.connection.execute(sql)

    def run(self, sql: str) -> "duckdb.DuckDBPyConnection":
        with self.told():
            return self.tried(sql)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        found = self.run(sql)
        while batch := self.fetched(found):
            self.context.check_stopped()
            yield from batch

    def value(self, sql: str) -> Any:
        row = self.fetched(self.run(sql))
        return row[0][0] if row else None

    def fetched(self, found: "duckdb.DuckDBPyConnection") -> list[Any]:
        """The next rows; what is wrong with them may be seen only now."""
        with self.told(), self.bounded():
            return found.fetchmany(FETCH_ROWS)

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.InterruptException:
            self.context.check_stopped()
            raise
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise PermanentFailure(f"It needs more than the memory and disk of one etl job: {brief(error)}") from None

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """The same rows and steps would meet the same error again."""
        import duckdb

        try:
            yield
        except (duckdb.IOException, OSError) as error:
            raise PermanentFailure(f"It writes more than one job may: {brief(error)}") from None
        except duckdb.Error as error:
            raise PermanentFailure(f"The rows cannot be worked on: {brief(error)}") from None

    def column(self) -> str:
        """A name that no column has had."""
        return f"c{next(self.names)}"

    def table(self) -> str:
        return f"t{next(self.names)}"

    def settle(self, relation: Relation) -> Relation:
        """Worked out and kept, with each row numbered in its present order."""
        if relation.settled:
            return relation
        table = self.table()
        self.run(f"CREATE TEMP TABLE {table} AS SELECT line, {relation.picked()} FROM ({relation.sql})")  # noqa: S608
        sql = f"SELECT rowid AS k, line, {relation.picked()} FROM {table}"  # noqa: S608
        return Relation(sql, relation.columns)


class Warm:
    """A session that is opened before the process of an attempt is forked, which saves most of what opening costs.

    It has no threads until it is bounded, and each attempt's process has a copy of its own.
    """

    def __init__(self) -> None:
        self.connection: duckdb.DuckDBPyConnection | None = None
        self.pid = 0

    def up(self) -> None:
        self.connection, self.pid = connect(), os.getpid()
        self.connection.execute("SELECT count(*) FROM range(10)").fetchall()

    @contextlib.contextmanager
    def taken(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """A new one where this is no fork of the process in which it was opened."""
        if self.connection is not None and os.getpid() != self.pid:
            # not closed: it ends with its process, at once
            yield self.connection
        else:
            with connect() as connection:
                yield connection


warm = Warm()


def connect() -> "duckdb.DuckDBPyConnection":
    import duckdb

    fixed: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "async_threads": 0,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    connection = duckdb.connect(":memory:", config=fixed)
    connection.execute("SET TimeZone = 'UTC'")
    # counted, not drawn
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    return connection


@contextlib.contextmanager
def opened(context: Context) -> Iterator[Engine]:
    """Stopped at once when the attempt is."""
    with warm.taken() as connection:
        for bound in bounds(context.path(".").resolve()):
            connection.execute(bound)
        ended = threading.Event()
        context.on_stop(connection.interrupt)
        engine = Engine(context, connection)
        watch = threading.Thread(target=tell_progress, args=(engine, ended), daemon=True)
        watch.start()
        try:
            yield engine
        finally:
            ended.set()
            watch.join()


def bounds(folder: Path) -> Sequence[str]:
    """After these there is no way back."""
    most = min(settings.ETL_MEMORY_MAX_BYTES, settings.CHILD_MEMORY_MAX_BYTES)
    return (
        f"SET threads = {settings.ETL_THREADS}",
        f"SET memory_limit = '{max(most - BESIDE_BYTES, most // 3)}B'",
        f"SET temp_directory = {literal(str(folder / 'spill'))}",
        f"SET max_temp_directory_size = '{settings.ETL_SPILL_MAX_BYTES}B'",
        f"SET home_directory = {literal(str(folder))}",
        f"SET allowed_directories = [{literal(f'{folder}/')}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )


def tell_progress(engine: Engine, ended: threading.Event) -> None:
    """How far the statement is that runs now: between what was reached and the next."""
    told = 0.0
    while not ended.wait(LOOK_SECONDS):
        percent = engine.connection.query_progress()
        if (now := engine.done + engine.part * max(percent, 0) / 100) > told:
            told = now
            engine.context.progress(now, "working")


def brief(error: BaseException) -> str:
    """The first line, which names no table of ours."""
    return str(error).partition("\n")[0][:300]
