"""The measures. Each returns plain numbers; rates are jobs a second, times are milliseconds."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from django.test import override_settings

from jobs.estimates import estimate
from jobs.models import Attempt, Job, WorkerProcess
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from jobs.states import Status
from orgs.models import Org

ROOT = Path(__file__).parent.parent
BULK = 1_000


def noop(count: int, queue: str) -> list[NewJob]:
    return [NewJob(type="python", payload={"task": "bench.noop"}, queue=queue)] * count


def bare_commits(seconds: float = 2.0) -> float:
    """The bound of the machine: transactions that insert one row and delete one, a second, on one connection."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as plain:
        plain.execute("CREATE TABLE IF NOT EXISTS bare (id bigint PRIMARY KEY)")
        done, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            plain.execute(
                "WITH gone AS (DELETE FROM bare WHERE id = %s) INSERT INTO bare VALUES (%s)", (done - 1, done)
            )
            done += 1
        plain.execute("DROP TABLE bare")
    return done / seconds


def enqueue_single(org: Org, count: int) -> float:
    begun = time.perf_counter()
    for job in noop(count, "single"):
        enqueue(job, org=org, user=None)
    return count / (time.perf_counter() - begun)


def enqueue_bulk(org: Org, count: int, queue: str) -> float:
    begun = time.perf_counter()
    for _ in range(count // BULK):
        enqueue_many(noop(BULK, queue), org=org, user=None)
    return count / (time.perf_counter() - begun)


@contextmanager
def workers(count: int, queue: str, slots: int, *options: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, "manage.py", "runworker", "--queues", queue, "--concurrency", str(slots), *options]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(30)


def drain(org: Org, count: int, processes: int, slots: int) -> float:
    """From the first lease to the last end, by the database's clock: starting Python is not counted."""
    queue = f"drain{processes}"
    enqueue_bulk(org, count, queue)
    with workers(processes, queue, slots, "--until-empty") as running:
        for process in running:
            process.wait(600)
    done = Job.objects.filter(queue=queue, status=Status.DONE)
    if done.count() != count:
        raise AssertionError(f"{done.count()} of {count} jobs are done")
    attempts = Attempt.objects.filter(job_id__in=done.values("id"))
    moments = attempts.values_list("started_at", "ended_at")
    begun, ended = min(row[0] for row in moments), max(row[1] for row in moments)
    return count / (ended - begun).total_seconds()


def idle_latency(org: Org, count: int) -> dict[str, float]:
    """From the return of enqueue() (the commit) to the handler's first line, one job at a time, worker asleep."""
    waits = []
    with workers(1, "idle", settings.WORKER_SLOTS):
        while not WorkerProcess.objects.filter(kind="worker", status="online", queues=["idle"]).exists():
            time.sleep(0.05)
        time.sleep(1)
        for _ in range(count):
            found = enqueue(NewJob(type="python", payload={"task": "bench.moment"}, queue="idle"), org=org, user=None)
            committed = time.monotonic_ns()
            job = wait_done(found.job_id)
            waits.append((job.result - committed) / 1e6)
            time.sleep(0.02)
    return percentiles(waits)


def wait_done(job_id: object) -> Job:
    while True:
        job = Job.objects.filter(pk=job_id, status=Status.DONE).first()
        if job:
            return job
        time.sleep(0.002)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def predict_cost(org: Org, count: int) -> float:
    """Milliseconds of an estimate, one by one."""
    begun = time.perf_counter()
    for _ in range(count):
        estimate(org, type="python", name="bench.noop", payload_bytes=30, user="")
    return (time.perf_counter() - begun) / count * 1000


def no_queries_kept() -> override_settings:
    """DEBUG keeps every query in memory: not part of what is measured."""
    connection.force_debug_cursor = False
    return override_settings(DEBUG=False)
