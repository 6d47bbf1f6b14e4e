"""A report or a dump that keeps its transaction open for minutes must not bring the queue down."""

import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench import sizes, workers
from bench.ours.stage import ENDLESS, Stage
from bench.ours.stock import stock
from bench.peers import counter

ABOUT = "one worker drains while jobs come in and, the second time, a transaction is held open elsewhere"
SIZES = ("SLOTS", "OPEN_SECONDS", "FEED_RATE")
STEPS = 20
# Looked at for the end of the run: the last fifth.
LAST = STEPS // 5


def measure(stage: Stage) -> dict[str, Any]:
    waiting = round(stage.probe() * (sizes.OPEN_SECONDS * 1.3 + 10))
    without = rates(stage, waiting, hold=False)
    with_one = rates(stage, waiting, hold=True)
    return {
        "without_jobs_per_second": statistics.median(without),
        "with_jobs_per_second": statistics.median(with_one),
        "with_to_without": statistics.median(with_one) / statistics.median(without),
        "at_the_end_with_to_without": statistics.median(with_one[-LAST:]) / statistics.median(without[-LAST:]),
        "without_over_time": without,
        "with_over_time": with_one,
    }


def rates(stage: Stage, waiting: int, *, hold: bool) -> list[float]:
    """Jobs a second in each of STEPS equal parts of OPEN_SECONDS."""
    stage.fresh()
    stock(stage, waiting)
    counter.forget(stage.folder)
    with stage.manage("runscheduler"), held_open(stage, hold), feeding(stage), stage.worker():
        stage.all_running(1, ENDLESS)
        found = [stage.rate_over(sizes.OPEN_SECONDS / STEPS) for _ in range(STEPS)]
    if not stage.number("SELECT count(*) FROM jobs_ready"):
        raise AssertionError("the queue ran empty: its rate says nothing")
    return found


@contextmanager
def held_open(stage: Stage, hold: bool) -> Iterator[None]:
    with psycopg.connect(stage.environ["DATABASE_URL"]) as connection:
        if hold:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("SELECT count(*) FROM orgs_org")
        yield


@contextmanager
def feeding(stage: Stage) -> Iterator[None]:
    command = stage.command("feed", sizes.FEED_RATE, sizes.OPEN_SECONDS + 60)
    with stage.log.open("ab") as log:
        feeder = subprocess.Popen(command, cwd=workers.ROOT, env=stage.environ, stdout=subprocess.DEVNULL, stderr=log)
    try:
        yield
        if feeder.poll() is not None:
            raise RuntimeError(f"the feeder ended: {stage.log.read_text(errors='replace')[-500:]}")
    finally:
        feeder.terminate()
        feeder.wait()
