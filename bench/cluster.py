"""A PostgreSQL for one run, as durable as a deployment's, and Django on it. Import it before anything of Django's."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartqueue.database import database_url
from smartqueue.embedded import CONF, Server


@contextmanager
def running() -> Iterator[Path]:
    """Yields the state folder; DATABASE_URL and the settings of the measured processes are in the environment."""
    state = Path(tempfile.mkdtemp(prefix="smartqueue-bench-"))
    state.chmod(0o711)
    os.environ |= {
        "SMARTQUEUE_STATE_DIR": str(state),
        "SMARTQUEUE_DEBUG": "1",
        "SMARTQUEUE_LOG_LEVEL": "WARNING",
        "SMARTQUEUE_TASK_MODULES": "bench.tasks",
        "DJANGO_SETTINGS_MODULE": "smartqueue.settings",
    }
    server = Server(state, CONF)
    try:
        server.start()
        server.role_ready(may_create_databases=True)
        os.environ["DATABASE_URL"] = database_url()
        yield state
    finally:
        server.stop()
        server.destroy()
        shutil.rmtree(state, ignore_errors=True)
