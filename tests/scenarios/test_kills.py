"""Workers that are killed with all they have started, in the middle of many short jobs: none is lost."""

import signal
from collections import deque
from contextlib import suppress
from typing import Any

import psutil
import pytest

from jobs.models import Attempt, Job, Lease, Ready, WorkerProcess
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, Process, database_now, patiently
from tests.proofs import figure, times

WORKERS, JOBS_A_KILL = 2, 20
# A job may meet several kills.
TRIES = 20
# From the kill until others run what was in hand: the lease and a little, in seconds.
BARS = {"3": 10.0, "30": 40.0}
ALLOWANCE = 6


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def short_jobs(org: Org, count: int) -> None:
    """Most on threads of their worker, some in processes of their own."""

    def payload(number: int) -> dict[str, Any]:
        if number % 10:
            return {"task": "demo.wait", "kwargs": {"seconds": 0.3}}
        return {"task": "child_tasks.whoami"}

    new = [NewJob(type="python", payload=payload(number), max_attempts=TRIES) for number in range(count)]
    enqueue_many(new, org=org, user=None)


def holds(worker: Process) -> int:
    """How many leases it has."""
    ids = WorkerProcess.objects.filter(pid=worker.pid).values_list("pk", flat=True)
    return Lease.objects.filter(worker_id__in=list(ids)).count()


def kill_family(worker: Process) -> float:
    """At once, and the time at which it was over."""
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL
    return database_now()


def kill_one_after_another(fleet: Fleet, org: Org, kills: int, **environ: str) -> dict[int, float]:
    """Under load; each is replaced. When each was killed, by its process."""
    workers = deque(fleet.workers(WORKERS, **environ))
    killed = {}
    for _ in range(kills):
        # Else it would be the backlog that is measured, and not what becomes of those in hand.
        patiently(lambda: not Ready.objects.exists())
        short_jobs(org, JOBS_A_KILL)
        victim = workers.popleft()
        patiently(lambda victim=victim: holds(victim), every_seconds=0.005)
        killed[victim.pid] = kill_family(victim)
        workers += fleet.workers(1, **environ)
    return killed


def after_the_kill(killed: dict[int, float]) -> list[tuple[float, float]]:
    """Of each attempt that was lost, in seconds from the kill: when it was taken back, and when the next one began."""
    began = {(one.job_id, one.number): one.started_at.timestamp() for one in Attempt.objects.all()}
    found = []
    for one in Attempt.objects.filter(outcome="lost"):
        at = killed[int(one.worker_name.rpartition("-")[2])]
        found.append((one.ended_at.timestamp() - at, began[one.job_id, one.number + 1] - at))
    return found


@pytest.mark.parametrize("lease_seconds", ["3", "30"])
def test_no_job_is_lost_and_all_are_soon_taken_over(fleet: Fleet, org: Org, lease_seconds: str) -> None:
    kills = times(5, 50) if lease_seconds == "3" else times(0, 4)
    if not kills:
        pytest.skip("A LEASE OF 30 s IS WAITED FOR AMONG THE PROOFS ONLY")
    fleet.watchdog()

    killed = kill_one_after_another(
        fleet,
        org,
        kills,
        SMARTQUEUE_LEASE_SECONDS=lease_seconds,
        SMARTQUEUE_LEASE_RENEW_SECONDS=str(int(lease_seconds) / 3),
    )
    patiently(lambda: not Job.objects.exclude(status="done").exists())

    lost = after_the_kill(killed)
    taken_back, retaken = (max(seconds) for seconds in zip(*lost, strict=True))
    figure(
        f"F2 worker killed, lease {lease_seconds} s",
        kills=kills,
        jobs=Job.objects.count(),
        attempts_lost=len(lost),
        jobs_lost=kills * JOBS_A_KILL - Job.objects.filter(status="done").count(),
        longest_until_taken_back_seconds=round(taken_back, 1),
        longest_until_retaken_seconds=round(retaken, 1),
    )
    assert Job.objects.count() == kills * JOBS_A_KILL
    assert len(lost) >= kills
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"done", "lost"}
    assert retaken <= BARS[lease_seconds] * times(ALLOWANCE, 1)
    assert not Lease.objects.exists()
    assert_whole()
