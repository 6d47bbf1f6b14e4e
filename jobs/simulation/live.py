"""A slice of a trace through the real queue and real workers, scaled in time, beside its simulation.

The jobs are submitted by the verb, into an organisation and a queue of their own, at the times of the trace; a child
process of `manage.py runworker` takes them, and one of `manage.py runscheduler` keeps the shares. Each holds its slot
for the run time that the trace has, scaled: that a slot is occupied is the work that is replayed here. The simulation
is given the same arrivals and predictions, and for how long each job had its slot. All that was made is removed
afterwards.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from statistics import median
from uuid import UUID

import numpy as np
from django.conf import settings

from jobs.models import (
    Attempt,
    Backlog,
    DepthSample,
    Job,
    QueueShare,
    StatusCount,
    StatusDelta,
    Transition,
    WorkerProcess,
)
from jobs.models import Queue as QueueRow
from jobs.queue import sql
from jobs.queue.enqueue import enqueue
from jobs.queue.forecast import start_errors
from jobs.queue.new_job import MAX_LENGTHS, NewJob
from jobs.simulation import tasks
from jobs.simulation.engine import serve
from jobs.simulation.predicted import Known, Shared
from jobs.simulation.trace import Row, Trace, TraceError
from jobs.states import TERMINAL
from orgs.models import Org
from predictor import scoring
from predictor.history import Floats

WORKERS = 4
POLICIES = ("learned", "fifo", "priority")
ROOT = Path(settings.BASE_DIR)
# How often it is looked whether all have ended, and the longest that the processes may take to start and to stop.
LOOK_SECONDS = 0.2
START_SECONDS, STOP_SECONDS = 60.0, 20.0
# So much longer than the simulation says the replay may take before it is given up.
PATIENCE, PATIENCE_SECONDS = 3.0, 60.0
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Agreement:
    """Live beside simulated. Waits are in seconds of the replay, orders those in which jobs start."""

    jobs: int
    workers: int
    seconds_per_trace_second: float
    median_run_s: float
    spearman: float
    kendall: float
    live_mean_wait_s: float
    simulated_mean_wait_s: float
    live_p90_wait_s: float
    simulated_p90_wait_s: float
    # Of the starts that each job was told when it was submitted.
    start_median_error_s: float | None
    start_within_range: float | None

    @property
    def agrees(self) -> bool:
        """Within a tenth."""
        waits = (
            (self.live_mean_wait_s, self.simulated_mean_wait_s),
            (self.live_p90_wait_s, self.simulated_p90_wait_s),
        )
        near = all(abs(live - simulated) <= TOLERANCE * max(live, simulated) for live, simulated in waits)
        return near and self.spearman >= 1.0 - TOLERANCE

    def figures(self) -> dict[str, float | int | None]:
        """By name, as they are printed."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a slice; (N,) each, in the order of arrival, in seconds from the first."""

    arrivals: list[float]
    starts: list[float]
    occupied_s: list[float]  # the run, and what the worker takes to begin and to end it
    predicted_s: list[float]
    start_errors: sql.Row  # as jobs.queue.forecast says them


def replay(
    trace: Trace, *, jobs: int, workers: int, load: float, median_run_s: float, policy: str = "learned"
) -> Agreement:
    """The first `jobs` of a trace through as many slots. Raises TraceError where that cannot be."""
    if policy not in POLICIES:
        raise TraceError(f"--live: {policy} is no policy of a queue")
    if len(trace.rows) < jobs or jobs < 2:
        raise TraceError(f"--live: the trace has {len(trace.rows)} jobs, not {jobs}")
    piece = Trace(trace.rows[:jobs], trace.starts_at).at_load(load, workers)
    scale = median_run_s / median(row.runtime_s for row in piece.rows)
    arrivals = [row.submit_s * scale for row in piece.rows]
    runtimes = [row.runtime_s * scale for row in piece.rows]
    with scratch(policy) as org, processes(org, workers):
        played = play(org, piece.rows, arrivals, runtimes)
    order = Shared(Known(played.predicted_s), [""] * jobs, played.occupied_s, workers, policy)
    starts = serve(played.arrivals, played.occupied_s, workers, order)
    return compared(played, starts, workers, scale, median_run_s)


@contextmanager
def scratch(policy: str) -> Iterator[Org]:
    """An organisation with a queue of its own name; nothing of them is left."""
    org = Org.objects.create(name="Simulation", slug=f"simulation-{token_hex(4)}")
    try:
        QueueRow.objects.create(org=org, name=org.slug, policy=policy)
        yield org
    finally:
        remove(org)


def remove(org: Org) -> None:
    """The organisation with its jobs and what hangs on them; its audit trail stays, as any does."""
    ids = list(Job.objects.filter(org=org).values_list("pk", flat=True))
    Transition.objects.filter(job_id__in=ids).delete()
    for model in (Attempt, QueueShare, StatusCount, StatusDelta, DepthSample):
        model.objects.filter(org_id=org.pk).delete()
    Backlog.objects.filter(queue=org.slug).delete()
    org.delete()


@contextmanager
def processes(org: Org, slots: int) -> Iterator[None]:
    """A worker of the organisation's queue and a scheduler, until the replay is over."""
    modules = ",".join([*settings.TASK_MODULES, tasks.MODULE])
    environ = {**os.environ, "SMARTQUEUE_TASK_MODULES": modules}
    words = ["runworker", "--queues", org.slug, "--types", "python", "--concurrency", str(slots)]
    children = [start(words, environ), start(["runscheduler"], environ)]
    try:
        await_worker(children[0])
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            stop(child)


def start(words: Sequence[str], environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def await_worker(child: "subprocess.Popen[bytes]") -> None:
    """Until it takes jobs. Raises TraceError when it ends instead, or takes too long."""
    give_up = time.monotonic() + START_SECONDS
    while not WorkerProcess.objects.filter(pid=child.pid, status="online").exists():
        if child.poll() is not None or time.monotonic() > give_up:
            raise TraceError("--live: no worker could be started")
        time.sleep(LOOK_SECONDS)


def stop(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def play(org: Org, rows: Sequence[Row], arrivals: Sequence[float], runtimes: Sequence[float]) -> Played:
    """Submit each job at its time, wait until all have ended, and read what became of them."""
    ids: list[UUID] = []
    begins = time.monotonic()
    for row, arrival, runtime in zip(rows, arrivals, runtimes, strict=True):
        time.sleep(max(begins + arrival - time.monotonic(), 0.0))
        payload = {"task": "simulation.occupy", "kwargs": {"seconds": runtime}}
        new = NewJob("python", payload, name=row.kind[: MAX_LENGTHS["name"]], queue=org.slug)
        ids.append(enqueue(new, org=org, user=None).job_id)
    await_ends(org, begins + (arrivals[-1] + sum(runtimes)) * PATIENCE + PATIENCE_SECONDS)
    stored = {job.pk: job for job in Job.objects.filter(org=org)}
    attempts = {attempt.job_id: attempt for attempt in Attempt.objects.filter(org_id=org.pk)}
    if len({attempt.worker_id for attempt in attempts.values()}) > 1:
        raise TraceError("--live: other workers took jobs too; none may serve every queue meanwhile")
    jobs = [stored[one] for one in ids]
    first = min(job.created_at for job in jobs)
    return Played(
        arrivals=[(job.created_at - first).total_seconds() for job in jobs],
        starts=[(attempts[job.pk].started_at - first).total_seconds() for job in jobs],
        occupied_s=[(attempts[job.pk].ended_at - attempts[job.pk].started_at).total_seconds() for job in jobs],
        predicted_s=[job.predicted_ms / 1000.0 for job in jobs],
        start_errors=start_errors(org, len(rows)),
    )


def await_ends(org: Org, give_up: float) -> None:
    while Job.objects.filter(org=org).exclude(status__in=TERMINAL).exists():
        if time.monotonic() > give_up:
            raise TraceError("--live: the workers did not come to an end in time")
        time.sleep(LOOK_SECONDS)


def compared(played: Played, simulated: Sequence[float], workers: int, scale: float, median_run_s: float) -> Agreement:
    live = np.array(played.starts)
    waits, expected = live - played.arrivals, np.array(simulated) - played.arrivals
    return Agreement(
        jobs=len(live),
        workers=workers,
        seconds_per_trace_second=scale,
        median_run_s=median_run_s,
        spearman=scoring.spearman(live, np.array(simulated)),
        kendall=kendall(live, np.array(simulated)),
        live_mean_wait_s=float(waits.mean()),
        simulated_mean_wait_s=float(expected.mean()),
        live_p90_wait_s=float(np.quantile(waits, 0.9)),
        simulated_p90_wait_s=float(np.quantile(expected, 0.9)),
        start_median_error_s=played.start_errors.median_error_seconds,
        start_within_range=played.start_errors.within_range,
    )


def kendall(one: Floats, other: Floats) -> float:
    """Kendall's tau: pairs of (N,) in the same order less those in the other, over all pairs."""
    agree = sum(
        float((np.sign(one[i + 1 :] - one[i]) * np.sign(other[i + 1 :] - other[i])).sum()) for i in range(len(one))
    )
    return agree / (len(one) * (len(one) - 1) / 2)
