"""A PostgreSQL for one run, as durable as a deployment's, and Django on it. Import it before anything of Django's."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import psycopg

from smartqueue.database import database_url
from smartqueue.embedded import CONF, DATABASE, ROLE, Server


@contextmanager
def running() -> Iterator[Server]:
    """DATABASE_URL and the settings of the measured processes are in the environment."""
    state = Path(tempfile.mkdtemp(prefix="smartqueue-bench-"))
    state.chmod(0o711)
    os.environ |= {
        "SMARTQUEUE_STATE_DIR": str(state),
        # as in production: in development each statement is also written down in memory
        "SMARTQUEUE_DEBUG": "0",
        "SECRET_KEY": token_hex(32),
        "JWT_SIGNING_KEY": token_hex(32),
        "ENCRYPTION_KEYS": f"bench:{token_hex(32)}",
        "SMARTQUEUE_SHELL_SANDBOX": "auto",
        "SMARTQUEUE_LOG_LEVEL": "WARNING",
        "SMARTQUEUE_TASK_MODULES": "bench.tasks",
        "DJANGO_SETTINGS_MODULE": "smartqueue.settings",
    }
    os.environ.pop("DATABASE_URL", None)
    server = Server(state, CONF)
    try:
        server.start()
        server.role_ready(may_create_databases=True)
        as_superuser(server, f"GRANT pg_checkpoint TO {ROLE}")
        os.environ["DATABASE_URL"] = database_url()
        yield server
    finally:
        server.stop()
        server.destroy()
        shutil.rmtree(state, ignore_errors=True)


def execute(statement: str, *, database: str = DATABASE) -> list[tuple[object, ...]]:
    """One statement outside any transaction, on the run's server; its rows, if it has any."""
    with psycopg.connect(named(os.environ["DATABASE_URL"], database), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def as_superuser(server: Server, statement: str) -> None:
    with psycopg.connect(**server.superuser(), autocommit=True) as connection:
        connection.execute(statement.encode())


def named(url: str, database: str) -> str:
    return url.rpartition("/")[0] + f"/{database}"
