"""Workers that are told to end, one after the other, under load: nothing is lost, and no try is burnt."""

import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from jobs.models import Attempt, Job, Lease, Ready, WorkerProcess
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import QUICK, Fleet, Process, patiently
from tests.proofs import figure, times

GRACE = float(QUICK["SMARTQUEUE_DRAIN_GRACE_SECONDS"])
# Beyond its grace, in seconds: of jobs that listen, and of one that does not; and after a second signal. Longer where
# others use the machine too.
MORE, DEAF, AT_ONCE = 2.0, 3.0, 2.0
ALLOWANCE = 8
# At least so many jobs wait at any time.
WAITING = 20


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def payload(number: int) -> dict[str, Any]:
    """Mostly too short to be in hand for long: claims never cease."""
    if number % 10 == 0:
        return {"task": "child_tasks.whoami"}
    if number % 5 == 0:
        return {"task": "tests.sleep_async", "kwargs": {"seconds": 0.2}}
    return {"task": "demo.wait", "kwargs": {"seconds": 0.02 * (number % 5)}}


def store(org: Org, payloads: list[dict[str, Any]], queue: str = "default") -> None:
    """Each may be tried once only: a burnt try is a failed job."""
    new = [NewJob(type="python", payload=one, queue=queue, max_attempts=1) for one in payloads]
    enqueue_many(new, org=org, user=None)


@contextmanager
def load(org: Org) -> Iterator[None]:
    """Jobs that come as fast as they are done."""
    over = threading.Event()

    def submit() -> None:
        try:
            while not over.wait(0.01):
                if Ready.objects.count() < WAITING:
                    store(org, [payload(number) for number in range(WAITING)])
        finally:
            connection.close()

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def start(fleet: Fleet, processes: int) -> Process:
    """A worker, or a command with several."""
    words = ["--processes", str(processes)] if processes > 1 else []
    return fleet.manage("runworker", "--queues", "default,long", "--concurrency", "3", *words)


def at_work(command: Process, processes: int) -> None:
    """Wait until all its workers are."""

    def online() -> bool:
        assert command.running, command.text
        pids = [command.pid, *(child.pid for child in psutil.Process(command.pid).children())]
        return WorkerProcess.objects.filter(status="online", pid__in=pids).count() == processes

    patiently(online)


def end(worker: Process, *, signum: signal.Signals = signal.SIGTERM, code: int = 0) -> float:
    """How long it took from the signal to its exit."""
    told = time.monotonic()
    worker.send(signum)
    assert worker.ended() == code, worker.text
    return time.monotonic() - told


@pytest.mark.parametrize(("commands", "processes"), [(3, 1), (2, 2)], ids=["three", "two of two each"])
def test_a_rolling_restart_under_load_loses_and_burns_nothing(
    fleet: Fleet, org: Org, tmp_path: Path, commands: int, processes: int
) -> None:
    go = tmp_path / "go"
    # Longer than any grace: given back, again and again. In a queue of their own, where no shorter one goes first.
    store(org, [{"task": "tests.until_file", "kwargs": {"path": str(go)}}] * 3, queue="long")
    took: list[float] = []
    with load(org):
        workers = deque(start(fleet, processes) for _ in range(commands))
        for worker in workers:
            at_work(worker, processes)
        for _ in range(times(2, 10 * commands)):
            workers.append(start(fleet, processes))
            took.append(end(workers.popleft()))
            at_work(workers[-1], processes)
    go.touch()
    patiently(lambda: not Job.objects.exclude(status="done").exists())

    outcomes = list(Attempt.objects.values_list("outcome", flat=True))
    figure(
        f"F18 rolling restart of {commands} x {processes} workers",
        restarts=len(took),
        jobs=Job.objects.count(),
        released=outcomes.count("released"),
        burnt=len(outcomes) - outcomes.count("done") - outcomes.count("released"),
        longest_beyond_grace_seconds=round(max(took) - GRACE, 2),
    )
    # after a few restarts the long ones may all have been with the others
    assert set(outcomes) <= {"done", "released"}, Counter(outcomes)
    assert outcomes.count("released") >= times(0, 1)
    assert outcomes.count("done") == Job.objects.count()
    assert max(took) <= GRACE + MORE * times(ALLOWANCE, 1)
    assert not Lease.objects.exists()
    assert_whole()


def test_a_second_interrupt_ends_a_worker_at_once(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    took = []
    for number in range(times(2, 10)):
        worker = fleet.manage("runworker", SMARTQUEUE_DRAIN_GRACE_SECONDS="600")
        store(org, [{"task": "tests.until_file", "kwargs": {"path": str(tmp_path / "never")}}])
        patiently(lambda number=number: Lease.objects.count() == number + 1)
        worker.send(signal.SIGINT)
        patiently(lambda worker=worker: WorkerProcess.objects.filter(pid=worker.pid, status="draining").exists())
        took.append(end(worker, signum=signal.SIGINT, code=128 + signal.SIGINT))

    figure("F18 second interrupt", times=len(took), longest_seconds=round(max(took), 2))
    assert max(took) <= AT_ONCE * times(ALLOWANCE, 1)


def test_a_job_that_listens_to_nobody_is_given_back_all_the_same(fleet: Fleet, org: Org) -> None:
    """Its thread cannot be ended but with its process; nor is its try burnt."""
    took = []
    for number in range(times(1, 5)):
        worker = start(fleet, 1)
        at_work(worker, 1)
        store(org, [{"task": "tests.stubborn", "kwargs": {"gate": "never"}}] if number == 0 else [])
        patiently(Lease.objects.exists)
        took.append(end(worker))

    figure("F18 a job that does not stop", times=len(took), longest_beyond_grace_seconds=round(max(took) - GRACE, 2))
    assert max(took) <= GRACE + DEAF * times(ALLOWANCE, 1)
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"released"}
    assert not Lease.objects.exists()
    assert_whole()
