"""A PostgreSQL for one run, as durable as a deployment's, and Django on it. Import it before anything of Django's."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from smartqueue.database import database_url
from smartqueue.embedded import CONF, ROLE, Server


@contextmanager
def running() -> Iterator[Server]:
    """DATABASE_URL and the settings of the measured processes are in the environment."""
    state = Path(tempfile.mkdtemp(prefix="smartqueue-bench-"))
    state.chmod(0o711)
    os.environ |= {
        "SMARTQUEUE_STATE_DIR": str(state),
        "SMARTQUEUE_DEBUG": "1",
        "SMARTQUEUE_LOG_LEVEL": "WARNING",
        "SMARTQUEUE_TASK_MODULES": "bench.tasks",
        "DJANGO_SETTINGS_MODULE": "smartqueue.settings",
    }
    os.environ.pop("DATABASE_URL", None)
    server = Server(state, CONF)
    try:
        server.start()
        server.role_ready(may_create_databases=True)
        with psycopg.connect(**server.superuser(), autocommit=True) as connection:
            connection.execute(sql.SQL("GRANT pg_checkpoint TO {}").format(sql.Identifier(ROLE)))
        os.environ["DATABASE_URL"] = database_url()
        yield server
    finally:
        server.stop()
        server.destroy()
        shutil.rmtree(state, ignore_errors=True)


def execute(statement: str, *, database: str | None = None) -> list[tuple[object, ...]]:
    """One statement outside any transaction, on the run's server; its rows, if it has any."""
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url if database is None else named(url, database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def named(url: str, database: str) -> str:
    return url.rpartition("/")[0] + f"/{database}"
