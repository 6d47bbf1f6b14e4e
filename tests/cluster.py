"""A pytest plugin, loaded before Django's settings: a throw-away PostgreSQL for the run, or the one of DATABASE_URL."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from smartqueue.database import database_url
from smartqueue.embedded import CONF, Server

# What is written here is gone with the run: it need not survive a power cut. Commits stay synchronous in kind.
FAST_CONF = {**CONF, "fsync": "off", "full_page_writes": "off", "max_connections": "200"}

# As in settings.py; other plugins of pytest load NumPy before those are read.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("SMARTQUEUE_TESTING", "1")
os.environ.setdefault("SMARTQUEUE_LOG_LEVEL", "WARNING")
os.environ.setdefault("SMARTQUEUE_TASK_MODULES", "smartqueue.demo.tasks,tests.tasks,tests.child_tasks")


def start() -> None:
    """In the process that was started by a person; pytest-xdist's workers inherit the environment."""
    state = Path(tempfile.mkdtemp(prefix="smartqueue-test-"))
    state.chmod(0o711)
    os.environ["SMARTQUEUE_STATE_DIR"] = str(state)
    server: Server | None = None
    if "DATABASE_URL" not in os.environ:
        server = Server(state, FAST_CONF)
        server.start()
        server.role_ready(may_create_databases=True)
        os.environ["DATABASE_URL"] = database_url()

    def stop(owner: int = os.getpid()) -> None:
        if os.getpid() != owner:
            return
        if server:
            server.stop()
            server.destroy()
        shutil.rmtree(state, ignore_errors=True)

    atexit.register(stop)


if "PYTEST_XDIST_WORKER" not in os.environ and "SMARTQUEUE_TEST_CLUSTER" not in os.environ:
    os.environ["SMARTQUEUE_TEST_CLUSTER"] = str(os.getpid())
    start()
