"""A PostgreSQL that is gone for a while, under a worker that goes on."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from smartqueue.database import database_url
from smartqueue.embedded import Server
from tests.cluster import FAST_CONF
from tests.processes import Fleet, Process, patiently

ENQUEUE = """
import json, sys
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.models import Org
org, _ = Org.objects.get_or_create(slug="acme", name="Acme")
new = [NewJob(type="python", payload=payload) for payload in json.loads('''{payloads}''')]
enqueue_many(new, org=org, user=None)
"""


class Site:
    """A PostgreSQL of its own that the test stops and starts, and processes that use it."""

    def __init__(self, folder: Path, fleet: Fleet, server: Server) -> None:
        self.folder, self.fleet, self.server = folder, fleet, server

    def rows(self, text: str) -> list[Any]:
        with psycopg.connect(self.fleet.environ["DATABASE_URL"]) as session:
            return session.execute(text).fetchall()

    def enqueue(self, payloads: str) -> None:
        code = ENQUEUE.format(payloads=payloads)
        process = self.fleet.start([sys.executable, "manage.py", "shell", "-c", code])
        assert process.ended() == 0, process.text

    def worker(self, *words: str, **environ: str) -> Process:
        known = len(self.rows("SELECT FROM jobs_workerprocess"))
        worker = self.fleet.manage("runworker", *words, **environ)
        patiently(lambda: len(self.rows("SELECT FROM jobs_workerprocess")) > known)
        return worker

    def take_away(self) -> None:
        """As a crash does: sessions end in the middle of what they do."""
        assert self.server.process
        self.server.process.send_signal(signal.SIGQUIT)
        self.server.process.wait(20)

    def bring_back(self) -> None:
        self.server.start()

    def marks(self) -> Counter[str]:
        """How often each job's task ran to its end."""
        path = self.folder / "ended"
        return Counter(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else Counter()


@pytest.fixture
def site(tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with TemporaryDirectory(prefix="smartqueue-outage-") as state:
        Path(state).chmod(0o711)
        server = Server(Path(state), FAST_CONF)
        server.start()
        server.role_ready()
        with monkeypatch.context() as patched:
            patched.setenv("SMARTQUEUE_STATE_DIR", state)
            patched.delenv("DATABASE_URL")
            url = database_url()
        fleet = Fleet(tmp_path, DATABASE_URL=url, SMARTQUEUE_STATE_DIR=state, SMARTQUEUE_LEASE_SECONDS="90")
        try:
            migrating = fleet.manage("migrate")
            assert migrating.ended(120) == 0, migrating.text
            yield Site(tmp_path, fleet, server)
        finally:
            fleet.close()
            server.stop()
            server.destroy()


def payload(site: Site) -> str:
    files = {"gate": str(site.folder / "go"), "path": str(site.folder / "ended")}
    return json.dumps({"task": "tests.mark_when", "kwargs": files})


def test_what_ended_while_the_database_was_away_is_written_once_it_is_back(site: Site) -> None:
    site.enqueue(f"[{', '.join([payload(site)] * 24)}]")
    worker = site.worker("--concurrency", "16")
    patiently(lambda: len(site.rows("SELECT FROM jobs_lease")) == 16)

    site.take_away()
    (site.folder / "go").touch()
    patiently(lambda: len(site.marks()) == 16)
    # It has tried to write them, more than once.
    patiently(lambda: worker.text.count("database trouble") >= 3)
    site.bring_back()

    patiently(lambda: site.rows("SELECT count(*) FROM jobs_job WHERE status = 'done'") == [(24,)])
    assert set(site.marks().values()) == {1}
    assert site.rows("SELECT number, outcome, count(*) FROM jobs_attempt GROUP BY 1, 2") == [(1, "done", 24)]
    assert site.rows("SELECT count(*) FROM jobs_lease") == [(0,)]
    assert "fenced" not in worker.text
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0


def test_what_the_watchdog_took_back_meanwhile_is_fenced(site: Site) -> None:
    """The worker sleeps when the database comes back, and the lease is over before it wakes."""
    site.enqueue(f"[{payload(site)}]")
    worker = site.worker(SMARTQUEUE_LEASE_SECONDS="8")
    patiently(lambda: site.rows("SELECT FROM jobs_lease"))

    site.take_away()
    (site.folder / "go").touch()
    patiently(lambda: len(site.marks()) == 1)
    patiently(lambda: "database trouble" in worker.text)
    worker.send(signal.SIGSTOP)
    site.bring_back()
    site.fleet.watchdog()
    other = site.worker()
    patiently(lambda: site.rows("SELECT FROM jobs_job WHERE status = 'done'"))
    before = site.rows("SELECT * FROM jobs_job")
    worker.send(signal.SIGCONT)

    patiently(lambda: '"fenced"' in worker.text)
    assert site.rows("SELECT * FROM jobs_job") == before
    assert site.rows("SELECT number, outcome FROM jobs_attempt ORDER BY 1") == [(1, "lost"), (2, "done")]
    assert worker.running
    assert other.running
    # Both go on working.
    site.enqueue('[{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}]')
    patiently(lambda: site.rows("SELECT count(*) FROM jobs_job WHERE status = 'done'") == [(2,)])
