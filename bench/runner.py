"""One peer under measurement: its commands, its workers, and a database (or Redis) that is its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench import cluster, workers
from bench.peers import counter
from bench.sizes import PATIENCE_SECONDS
from smartqueue.embedded import Server

PEERS_VENV = workers.ROOT / ".venv-peers"
POSTGRESQL = ("smartqueue", "procrastinate", "pgqueuer", "django_tasks_db")
REDIS = ("huey", "dramatiq", "rq", "celery")
POLL_SECONDS = 0.005


class Window(NamedTuple):
    """Runs counted from a moment on."""

    runs: int
    begun_ns: int


class Drained(NamedTuple):
    """Jobs a second: put in by bulk calls, and run until the store showed them all done."""

    enqueued: float
    drained: float


class Runner:
    def __init__(self, name: str, server: Server, redis_url: str | None = None) -> None:
        self.name, self.server = name, server
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=server.state))
        self.database = f"bench_{name}"
        ours = name == "smartqueue"
        self.python = sys.executable if ours else str(PEERS_VENV / "bin" / "python")
        self.environ = {
            **os.environ,
            "DATABASE_URL": cluster.named(os.environ["DATABASE_URL"], self.database),
            "REDIS_URL": redis_url or "",
            "BENCH_COUNTS": str(self.folder),
            "PYTHONPATH": str(workers.ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        if not ours:
            # Celery would set up our Django
            del self.environ["DJANGO_SETTINGS_MODULE"]
        self.about: dict[str, Any] = {}

    @property
    def on_postgresql(self) -> bool:
        return self.name in POSTGRESQL

    def prepare(self) -> None:
        """Set up once; what fresh() starts from is kept aside."""
        if self.on_postgresql:
            cluster.execute(f"CREATE DATABASE {self.database}")
        self.about = json.loads(self.run("setup"))
        if self.on_postgresql:
            cluster.execute(f"ALTER DATABASE {self.database} RENAME TO {self.database}_empty")
        self.fresh()

    def fresh(self) -> None:
        """An empty store, and nothing of the measure before left to be written to disk."""
        if self.on_postgresql:
            # with force: autovacuum, which only the superuser may end, may be at work in it
            cluster.as_superuser(self.server, f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
            cluster.execute(f"CREATE DATABASE {self.database} TEMPLATE {self.database}_empty")
        else:
            self.run("setup")
        cluster.execute("CHECKPOINT")

    def command(self, *words: object) -> list[str]:
        return [self.python, "-m", f"bench.peers.with_{self.name}", *map(str, words)]

    def run(self, *words: object) -> str:
        """The last line a command printed."""
        done = subprocess.run(
            self.command(*words), cwd=workers.ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {words}: {done.stderr[-2000:]}")
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def measure(self, verb: str, *numbers: int) -> Any:
        return json.loads(self.run(verb, *numbers))

    def fill(self, rows: int) -> None:
        """Half of the rows wait in another queue, half are finished."""
        self.run("fill", rows // 2, rows - rows // 2)
        cluster.execute("VACUUM (ANALYZE)", database=self.database)
        cluster.execute("CHECKPOINT")

    @property
    def log(self) -> Path:
        return self.folder / "workers.log"

    @contextmanager
    def workers(self, processes: int, option: str) -> Iterator[list[int]]:
        """Their process ids."""
        with workers.running([self.command("work", option)] * processes, self.environ, self.log) as started:
            yield [process.pid for process in started]

    def drain(self, number: int, processes: int, option: str) -> Drained:
        """From the moment that each process has run a job: what starts up is not measured."""
        before = self.done()
        enqueued = self.measure("bulk", number)
        counter.forget(self.folder)
        with self.workers(processes, option):
            window = self.all_running(processes, number)
            ended = self.all_done(number)
        counted = counter.read(self.folder)
        done = self.done()
        if counted.runs != number or (done is not None and before is not None and done - before != number):
            raise AssertionError(f"{self.name}: {number} jobs, {counted.runs} runs, {done} done after {before}")
        if window.runs > number / 2:
            # over before the last process was up
            window = Window(0, counted.first_ns)
        return Drained(enqueued, (number - window.runs) / ((ended - window.begun_ns) / 1e9))

    def all_running(self, processes: int, number: int) -> Window:
        for _ in self.patiently(f"{processes} workers to run something"):
            counted, now = counter.read(self.folder), time.monotonic_ns()
            if counted.processes >= processes or counted.runs >= number:
                return Window(counted.runs, now)
        raise AssertionError

    def all_done(self, number: int) -> int:
        """The moment at which the store shows that nothing is left; for Redis peers that of the last run."""
        for _ in self.patiently(f"{number} jobs to be done"):
            counted = counter.read(self.folder)
            if counted.runs >= number:
                break
        if not self.about["left_sql"]:
            return counted.last_ns
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            for _ in self.patiently("the store to show it"):
                asked = time.monotonic_ns()
                row = connection.execute(self.about["left_sql"]).fetchone()
                if row == (0,):
                    return asked
        raise AssertionError

    def patiently(self, what: str) -> Iterator[None]:
        """Again and again; TimeoutError, with the end of the workers' log, when it takes too long."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            yield
            time.sleep(POLL_SECONDS)
        text = self.log.read_text(errors="replace")[-1000:] if self.log.exists() else ""
        raise TimeoutError(f"{self.name}: waited {PATIENCE_SECONDS:g} s for {what}\n{text}")

    def done(self) -> int | None:
        """How many jobs the store shows as done; None for Redis peers, which keep nothing."""
        if not self.about["done_sql"]:
            return None
        ((done,),) = cluster.execute(self.about["done_sql"], database=self.database)
        return int(str(done))
