"""All processes of a deployment on a PostgreSQL of its own, for tests that do harm to that."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from smartqueue.embedded import CONF, DATABASE, ROLE, Server
from smartqueue.state import secret
from tests.chaos.invariants import QUERIES
from tests.process import Process
from tests.processes import Fleet, patiently
from tests.scenarios.test_outage import Site
from tests.scenarios.writers import Client

# Acknowledged commits are flushed, as in production.
DURABLE_CONF = {**CONF, "shared_buffers": "128MB", "max_connections": "60"}
KINDS = ("scheduler", "watchdog", "worker")


class Deployment(Site):
    """Web, worker, scheduler and watchdog, and a person who may submit."""

    client: Client

    def begin(self, kind: str) -> Process:
        """Start one process, without waiting for it. Its sessions have its name."""
        self.fleet.environ["PGAPPNAME"] = kind
        if kind == "web":
            self.client = Client(self.fleet.web())
            return self.fleet.processes[-1]
        words = ["--queues", "*", "--concurrency", "8"] if kind == "worker" else []
        return self.fleet.manage(f"run{kind}", *words)

    def come_up(self) -> None:
        for kind in ("web", *KINDS):
            self.begin(kind)
        patiently(self.ready)
        self.client.register()

    def ready(self) -> bool:
        """Whether the web says so, every process has been seen, and one leads."""
        for process in self.fleet.processes:
            assert process.running or process.ended() == 0, process.text
        if not self.client.ready():
            return False
        online = {kind for (kind,) in self.rows("SELECT kind FROM jobs_workerprocess WHERE status = 'online'")}
        return online >= set(KINDS) and bool(self.rows("SELECT FROM jobs_leaderterm WHERE ended_at IS NULL"))

    @contextmanager
    def above(self) -> Iterator[psycopg.Connection[Any]]:
        """A superuser's session, for which there is always room."""
        with psycopg.connect(**{**self.server.superuser(), "dbname": DATABASE}, autocommit=True) as session:
            yield session

    def accepts(self, every_seconds: float = 0.02) -> float:
        """Wait until connections are taken; the moment, by time.monotonic()."""

        def asked() -> bool:
            try:
                self.rows("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        patiently(asked, every_seconds=every_seconds)
        return time.monotonic()

    def done(self, job_id: str) -> bool:
        return bool(self.rows(f"SELECT FROM jobs_job WHERE id = '{job_id}' AND status = 'done'"))

    def done_after(self, since: float) -> float:
        """The seconds since then until a job submitted now is done."""
        job_id = self.client.submitted()
        patiently(lambda: self.done(job_id), every_seconds=0.02)
        return time.monotonic() - since

    def assert_done_once(self, acknowledged: dict[str, set[str]]) -> None:
        """Every key that was acknowledged has one job, the one that was named, and nothing is left half-way."""
        patiently(lambda: self.rows("SELECT count(*) FROM jobs_job WHERE status <> 'done'") == [(0,)])
        stored: dict[str, list[str]] = {}
        keyed = "SELECT idempotency_key, id::text FROM jobs_job WHERE idempotency_key IS NOT NULL"
        for key, job_id in self.rows(keyed):
            stored.setdefault(key, []).append(job_id)
        assert {key: list(ids) for key, ids in acknowledged.items()} == {
            key: stored.get(key) for key in acknowledged
        }, "acknowledged is not what is stored"
        self.assert_whole()

    def assert_whole(self) -> None:
        broken = {
            name: found for name, query in QUERIES.items() if "effect" not in name and (found := self.rows(query))
        }
        assert not broken


def url_of(server: Server) -> str:
    password = quote(secret("database_password", server.state), safe="")
    return f"postgres://{ROLE}:{password}@{quote(str(server.socket_dir), safe='')}/{DATABASE}"


@contextmanager
def state_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="smartqueue-own-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def migrated(
    request: pytest.FixtureRequest, folder: Path, server: Server, url: str = "", **environ: str
) -> Iterator[Deployment]:
    """The database is there, and no process yet. All is ended and removed afterwards, and shown when a test failed."""
    failed = request.session.testsfailed
    server.start()
    fleet = Fleet(
        folder,
        **{
            "SMARTQUEUE_STATE_DIR": str(server.state),
            "DATABASE_URL": url or url_of(server),
            "SMARTQUEUE_ACCESS_TOKEN_SECONDS": "86400",
            "SMARTQUEUE_LEASE_SECONDS": "10",
            "SMARTQUEUE_WORKER_DEAD_SECONDS": "10",
            **environ,
        },
    )
    try:
        server.role_ready()
        migrating = fleet.manage("migrate")
        assert migrating.ended(240) == 0, migrating.text
        yield Deployment(folder, fleet, server)
    except BaseException:
        failed = -1
        raise
    finally:
        fleet.close()
        if request.session.testsfailed > failed:
            for process in fleet.processes:
                print(f"--- {process.log_path.name}\n{process.text[-3000:]}")
        server.stop()
        server.destroy()


@contextmanager
def deployed(request: pytest.FixtureRequest, folder: Path, server: Server, **environ: str) -> Iterator[Deployment]:
    """The same with all its processes."""
    with migrated(request, folder, server, **environ) as deployment:
        deployment.come_up()
        yield deployment
