"""Fill the store quickly: one job is made through the front door, then copied with all its rows by the server."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql

from jobs.queue.enqueue import NewJob, enqueue
from orgs.models import Org

ROOT = Path(__file__).parent.parent
# Rows of one statement, so that none is held in memory for long.
CHUNK = 250_000
TEMPLATES = "templates"
Connection = psycopg.Connection[tuple[object, ...]]


def fill(*, waiting: int, finished: int, queue: str) -> None:
    """So many jobs that wait in `queue`, and so many that were done in it."""
    if finished:
        clone(ran("bench.noop"), finished, queue)
    if waiting:
        clone(stored("bench.noop", queue), waiting, queue)


def stored(task: str, queue: str) -> UUID:
    new = NewJob(type="python", payload={"task": task}, queue=queue, max_attempts=10)
    return enqueue(new, org=Org.objects.get(slug="bench"), user=None).job_id


def ran(task: str) -> UUID:
    """A job that a real worker tried once, in a queue where nothing else waits."""
    job_id = stored(task, TEMPLATES)
    work = [sys.executable, "manage.py", "runworker", "--queues", TEMPLATES, "--until-empty"]
    subprocess.run(work, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return job_id


def clone(template: UUID, copies: int, queue: str) -> None:
    """So many jobs like this one in a queue: whatever row any table has of it, under new ids in the order of time."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE fresh (number int, id uuid)")
        tables = job_tables(connection)
        for begin in range(0, copies, CHUNK):
            numbers = begin + 1, min(begin + CHUNK, copies)
            connection.execute("TRUNCATE fresh")
            connection.execute(
                "INSERT INTO fresh SELECT number, uuidv7() FROM generate_series(%s::int, %s) AS number", numbers
            )
            with connection.transaction():
                for table, key in tables:
                    connection.execute(copying(connection, table, key), {"template": template, "queue": queue})


def job_tables(connection: Connection) -> list[tuple[str, str]]:
    """The tables that hold rows of a job, with the column that names it; the job's own first."""
    found = connection.execute(
        """SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
           WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
             AND attname = 'job_id' AND atttypid = 'uuid'::regtype"""
    )
    return [("jobs_job", "id"), *((str(name), "job_id") for (name,) in found)]


def copying(connection: Connection, table: str, key: str) -> sql.Composed:
    columns = connection.execute(
        """SELECT column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name = %s AND is_identity = 'NO' AND is_generated = 'NEVER'""",
        [table],
    )
    names = [str(name) for (name,) in columns]
    return sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS old, fresh WHERE old.{key} = %(template)s"
    ).format(
        table=sql.Identifier(table),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(value(name, key) for name in names),
        key=sql.Identifier(key),
    )


def value(column: str, key: str) -> sql.Composable:
    if column == key:
        return sql.SQL("fresh.id")
    if column == "queue":
        return sql.SQL("%(queue)s")
    if column == "rank":
        # a millisecond apart, as if they had been enqueued one by one
        return sql.SQL("old.rank + fresh.number / 1000.0")
    return sql.SQL("old.{}").format(sql.Identifier(column))
