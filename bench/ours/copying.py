"""How near bulk enqueueing comes to what the server can take in at all."""

import statistics
import time
from typing import Any

import psycopg
from psycopg import sql

from bench import cluster, sizes
from bench.ours.stage import Stage

ABOUT = "enqueue_many in calls of 1,000 beside a bare COPY of the rows it stored, 1,000 a commit"
SIZES = ("TIMES", "COPY_ROWS")
BATCH = 1_000


def measure(stage: Stage) -> dict[str, Any]:
    rates = []
    for _ in range(sizes.TIMES):
        stage.fresh()
        rates.append(stage.measure("bulk", sizes.COPY_ROWS))
    enqueued = statistics.median(rates)
    with psycopg.connect(stage.environ["DATABASE_URL"], autocommit=True) as connection:
        columns = stored_columns(connection)
        rows = copied_out(connection, columns)
        bare = statistics.median(copied(connection, "bare", columns, rows) for _ in range(sizes.TIMES))
        indexed = statistics.median(copied(connection, "indexed", columns, rows) for _ in range(sizes.TIMES))
    return {
        "enqueue_many_rows_per_second": enqueued,
        "copy_rows_per_second": bare,
        "copy_with_the_job_table's_indexes_rows_per_second": indexed,
        "enqueue_many_to_copy": enqueued / bare,
        "bytes_per_row": sum(map(len, rows)) / len(rows),
    }


def stored_columns(connection: psycopg.Connection[Any]) -> sql.Composed:
    names = connection.execute(
        """SELECT column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name = 'jobs_job' AND is_generated = 'NEVER'"""
    )
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in names)


def copied_out(connection: psycopg.Connection[Any], columns: sql.Composed) -> list[bytes]:
    with connection.cursor().copy(sql.SQL("COPY jobs_job ({}) TO STDOUT").format(columns)) as copy:
        return b"".join(copy).splitlines(keepends=True)


def copied(connection: psycopg.Connection[Any], table: str, columns: sql.Composed, rows: list[bytes]) -> float:
    """Rows a second into a table that has only its key, or all the indexes and checks of the job table."""
    name = sql.Identifier(table)
    if table == "bare":
        connection.execute(sql.SQL("CREATE TABLE {} AS SELECT {} FROM jobs_job LIMIT 0").format(name, columns))
        connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(name))
    else:
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE jobs_job INCLUDING ALL)").format(name))
    cluster.execute("CHECKPOINT")
    begun = time.perf_counter()
    for begin in range(0, len(rows), BATCH):
        with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
            copy.write(b"".join(rows[begin : begin + BATCH]))
    seconds = time.perf_counter() - begun
    connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return len(rows) / seconds
