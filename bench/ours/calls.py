"""Where the time of a submit goes: of a single call from Python, and of one over REST."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from bench import sizes
from bench.ours import rest, web
from bench.ours.stage import Stage
from bench.ours.stream import Stream
from jobs.queue import sql
from jobs.queue.enqueue import NewJob, enqueue
from orgs.models import Org

ABOUT = (
    "where the time of a submit goes: of single calls, wall and processor time of caller and server, beside a bare "
    "round trip and a bare commit on the same connection; over REST, processor time by who spends it"
)
SIZES = ("SINGLE_JOBS", "REST_RATE", "REST_SECONDS")
MICRO = 1e6


def measure(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    org = Org.objects.get(slug="bench")
    new = NewJob("python", {"task": "bench.noop", "kwargs": {"number": -1}}, queue="bench")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (number int)")
    figures = {
        "a call": each(lambda: enqueue(new, org=org, user=None)),
        "its notification": each(lambda: sql.rows("notify", channel="bench", word="bench 1.5 1.5 1")),
        "a bare round trip": each(lambda: session().execute("SELECT 1", prepare=True)),
        "a bare commit of one row": each(lambda: session().execute("INSERT INTO bare VALUES (1)", prepare=True)),
    }
    connection.close()
    return {**figures, "over REST": over_rest(stage)}


def session() -> Any:
    return connection.connection


def each(call: Callable[[], object]) -> str:
    """Microseconds of one: wall, and processor time of this thread and of its server process."""
    for _ in range(100):
        call()
    wall, ours, theirs = time.perf_counter(), time.thread_time(), processor_of(session().info.backend_pid)
    for _ in range(sizes.SINGLE_JOBS):
        call()
    spent = (
        time.perf_counter() - wall,
        time.thread_time() - ours,
        processor_of(session().info.backend_pid) - theirs,
    )
    wall_us, ours_us, theirs_us = (seconds / sizes.SINGLE_JOBS * MICRO for seconds in spent)
    return f"{wall_us:.0f} us: caller {ours_us:.0f}, server {theirs_us:.0f}"


def processor_of(pid: int) -> float:
    """Seconds, as exactly as the kernel knows (proc_pid_schedstat(5))."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def over_rest(stage: Stage) -> str:
    """Milliseconds of processor time a submit, of all there are between two."""
    stage.fresh()
    rest.learn(stage)
    with web.serving(stage) as address, Stream(address, web.access_token(), sizes.REST_RATE) as stream:
        time.sleep(1)
        before, answered = spent_by_group(), len(stream.answers)
        time.sleep(sizes.REST_SECONDS)
        after, submits = spent_by_group(), len(stream.answers) - answered
    spent = {name: (after[name] - before[name]) / submits * 1_000 for name in after}
    there_is = (os.cpu_count() or 1) * 1_000 / sizes.REST_RATE
    told = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in spent.items())
    return f"{sum(spent.values()):.1f} ms of {there_is:.0f}: {told}"


def spent_by_group() -> dict[str, float]:
    spent = {"web": 0.0, "server": 0.0, "clients": 0.0}
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        command, times = " ".join(process.info["cmdline"] or []), process.info["cpu_times"]
        if process.pid == os.getpid():
            name = "clients"
        elif "gunicorn" in command:
            name = "web"
        elif command.startswith("postgres") or "/postgres" in command:
            name = "server"
        else:
            continue
        spent[name] += times.user + times.system
    return spent
