"""SmartQueue beside its peers: the same machine, the same PostgreSQL, the same run."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.peers import counter

ROOT = Path(__file__).parent.parent
PEERS_VENV = ROOT / ".venv-peers"
POSTGRESQL = ("smartqueue", "procrastinate", "pgqueuer", "django_tasks_db")
REDIS = ("huey", "dramatiq", "rq", "celery")
DURABILITY = {
    "smartqueue": "commit flushed; leases, attempts and moves kept",
    "procrastinate": "commit flushed; jobs and events kept; what a dead worker held is retried by a task of the user's",
    "pgqueuer": "commit flushed; ends logged in batches",
    "django_tasks_db": "commit flushed; results kept; a dead worker's job stays running",
    "huey": "Redis append-only file, flushed each second; a job in hand is lost with its worker",
    "dramatiq": "Redis append-only file, flushed each second; nothing kept of a finished job",
    "rq": "Redis append-only file, flushed each second; nothing kept here (result_ttl=0)",
    "celery": "Redis append-only file, flushed each second; acknowledged before the run",
}
SLOW = {"django_tasks_db": 1_000, "procrastinate": 2_000, "rq": 3_000, "celery": 5_000, "dramatiq": 5_000}
PATIENCE_SECONDS = 300.0


class Runner:
    """Runs one peer's commands, against a database (or Redis) that is its own."""

    def __init__(self, name: str, redis_url: str) -> None:
        self.name = name
        self.counts = Path(tempfile.mkdtemp(prefix="bench-counts-"))
        base = os.environ["DATABASE_URL"]
        self.database_url = base.rpartition("/")[0] + f"/bench_{name}"
        ours = name == "smartqueue"
        self.python = sys.executable if ours else str(PEERS_VENV / "bin" / "python")
        self.environ = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": redis_url,
            "BENCH_COUNTS": str(self.counts),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        self.about: dict[str, Any] = {}

    def prepare(self) -> None:
        if self.name in POSTGRESQL:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS bench_{self.name} WITH (FORCE)")
                connection.execute(f"CREATE DATABASE bench_{self.name}")
        self.run("setup")
        self.about = json.loads(self.run("describe"))

    def command(self, *words: object) -> list[str]:
        return [self.python, "-m", f"bench.peers.with_{self.name}", *map(str, words)]

    def run(self, *words: object) -> str:
        done = subprocess.run(
            self.command(*words), cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {words}: {done.stderr[-2000:]}")
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def measure(self, verb: str, *numbers: int) -> Any:
        return json.loads(self.run(verb, *numbers))

    @contextmanager
    def workers(self, processes: int, option: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        running = [
            subprocess.Popen(
                self.command("work", option),
                cwd=ROOT,
                env=self.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(processes)
        ]
        try:
            yield running
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def done(self) -> int | None:
        """How many jobs the store shows as done; None for Redis peers, which keep nothing."""
        if not self.about["done_sql"]:
            return None
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(self.about["done_sql"]).fetchone()
        return int(row[0]) if row else 0

    def forget_counts(self) -> None:
        for path in self.counts.iterdir():
            path.unlink()

    def drain(self, number: int, processes: int, option: int) -> float:
        """Jobs a second from the first handler to the moment that the store shows them all done."""
        before = self.done()
        self.measure("bulk", number)
        self.forget_counts()
        with self.workers(processes, option):
            end = time.monotonic() + PATIENCE_SECONDS
            while True:
                counted = counter.read(self.counts)
                if counted.runs >= number:
                    done = self.done()
                    if done is None or before is None or done - before >= number:
                        break
                if time.monotonic() > end:
                    raise TimeoutError(f"{self.name}: {counted.runs} of {number} jobs were run")
                time.sleep(0.02)
            ended = counted.last_ns if done is None else time.monotonic_ns()
        if counter.read(self.counts).runs != number:
            raise AssertionError(f"{self.name}: {counted.runs} runs of {number} jobs")
        return number / ((ended - counted.first_ns) / 1e9)

    def idle(self, number: int, option: int) -> dict[str, float]:
        self.forget_counts()
        with self.workers(1, option) as (worker,):
            time.sleep(4)
            memory = psutil.Process(worker.pid).memory_info().rss / 1e6
            # the first job is not idle latency: it opens what is opened once
            self.measure("idle", 1)
            waits = self.measure("idle", number)
        return {**percentiles(waits), "worker_megabytes": memory}

    def close(self) -> None:
        shutil.rmtree(self.counts, ignore_errors=True)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


@contextmanager
def redis_server() -> Iterator[str | None]:
    """A Redis of our own on a socket, with an append-only file; None where there is none to run."""
    program = shutil.which("redis-server")
    if not program:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-redis-"))
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def compare(names: Sequence[str], redis_url: str | None, jobs: int, times: int) -> dict[str, dict[str, Any]]:
    """The figures of each peer: medians of `times` runs."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in REDIS and redis_url is None:
            print(f"{name}: SKIPPED, no redis-server (apt-get install redis-server)")
            continue
        runner = Runner(name, redis_url or "")
        try:
            runner.prepare()
            found[name] = figures(runner, SLOW.get(name, jobs), times)
        except (RuntimeError, TimeoutError, AssertionError) as error:
            found[name] = {"failed": str(error)[-400:]}
        finally:
            runner.close()
        print(f"{name}: {json.dumps(found[name])}", flush=True)
    return found


def figures(runner: Runner, jobs: int, times: int) -> dict[str, Any]:
    def median(measure: Any) -> float:
        return statistics.median(measure() for _ in range(times))

    enqueue = {
        "enqueue_single": median(lambda: runner.measure("single", 1_000)),
        "enqueue_bulk": median(lambda: runner.measure("bulk", 10_000 if runner.name not in SLOW else 2_000)),
    }
    # the drains start from an empty store
    runner.prepare()
    tried = {option: runner.drain(jobs, 1, option) for option in runner.about["options"]}
    best = max(tried, key=lambda option: tried[option])
    return {
        **enqueue,
        "best_option": best,
        "drain_1": median(lambda: runner.drain(jobs, 1, best)),
        "drain_2": median(lambda: runner.drain(jobs, 2, best)),
        "idle_ms": runner.idle(100, best),
        "durability": DURABILITY[runner.name],
    }
