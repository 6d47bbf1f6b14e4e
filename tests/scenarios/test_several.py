"""Several workers from one command."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.models import Attempt, Job, Lease, WorkerProcess
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole, path_of
from tests.processes import Fleet, Process, patiently


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def seen() -> Iterator[set[int]]:
    """The processes of workers that the test has met; none outlives it."""
    pids: set[int] = set()
    yield pids
    for pid in pids:
        if psutil.pid_exists(pid) and "runworker" in psutil.Process(pid).cmdline():
            psutil.Process(pid).kill()


def python_job(org: Org, task: str, **kwargs: Any) -> Job:
    return make_job(org, payload={"task": task, "kwargs": kwargs})


def children(parent: Process, seen: set[int], count: int = 2) -> list[int]:
    """The workers of the command, once so many are there."""

    def online() -> list[int]:
        assert parent.running, parent.text
        ours = {child.pid for child in psutil.Process(parent.pid).children()}
        seen.update(ours)
        known = WorkerProcess.objects.filter(status="online", pid__in=ours)
        return list(known.values_list("pid", flat=True)) if known.count() == count else []

    return patiently(online)


def several(fleet: Fleet, seen: set[int], *words: str) -> tuple[Process, list[int]]:
    parent = fleet.manage("runworker", "--processes", "2", *words)
    return parent, children(parent, seen)


def pids_of_leases() -> set[int]:
    workers = Lease.objects.values_list("worker_id", flat=True)
    return set(WorkerProcess.objects.filter(pk__in=list(workers)).values_list("pid", flat=True))


def wait_done(*jobs: Job) -> None:
    ids = [job.pk for job in jobs]
    patiently(lambda: Job.objects.filter(pk__in=ids, status="done").count() == len(ids))


def test_both_work_and_one_signal_drains_both(fleet: Fleet, org: Org, seen: set[int], tmp_path: Path) -> None:
    go = tmp_path / "go"
    parent, pids = several(fleet, seen, "--concurrency", "2")
    jobs = [python_job(org, "tests.until_file", path=str(go)) for _ in range(4)]
    patiently(lambda: Lease.objects.count() == 4)
    assert pids_of_leases() == set(pids)

    parent.send(signal.SIGTERM)
    patiently(lambda: WorkerProcess.objects.filter(status="draining").count() == 2)
    late = python_job(org, "demo.add", a=1, b=2)
    go.touch()

    assert parent.ended() == 0
    assert {tuple(path_of(job.pk)) for job in jobs} == {("queued", "running", "done")}
    assert path_of(late.pk) == ["queued"]
    assert set(WorkerProcess.objects.values_list("status", flat=True)) == {"offline"}
    assert_whole()


def test_a_worker_that_is_killed_is_replaced_and_its_job_is_done(
    fleet: Fleet, org: Org, seen: set[int], tmp_path: Path
) -> None:
    fleet.watchdog()
    go = tmp_path / "go"
    parent, pids = several(fleet, seen, "--concurrency", "1")
    jobs = [python_job(org, "tests.until_file", path=str(go)) for _ in range(2)]
    patiently(lambda: Lease.objects.count() == 2)

    victim = pids[0]
    psutil.Process(victim).kill()

    patiently(lambda: not WorkerProcess.objects.filter(pid=victim, status="online").exists())
    after = children(parent, seen)
    assert pids[1] in after
    assert victim not in after
    go.touch()
    wait_done(*jobs)
    assert sorted(Attempt.objects.values_list("outcome", flat=True)) == ["done", "done", "lost"]
    parent.send(signal.SIGTERM)
    assert parent.ended() == 0
    assert_whole()


def test_workers_do_not_outlive_the_process_that_minds_them(
    fleet: Fleet, org: Org, seen: set[int], tmp_path: Path
) -> None:
    parent, pids = several(fleet, seen)
    job = python_job(org, "tests.until_file", path=str(tmp_path / "never"))
    patiently(lambda: Lease.objects.exists())

    parent.send(signal.SIGKILL)

    # They give back what they have, as when they are told to end.
    patiently(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert path_of(job.pk) == ["queued", "running", "queued"]
    assert set(WorkerProcess.objects.values_list("status", flat=True)) == {"offline"}
    assert_whole()


def test_all_end_when_everything_is_done_if_asked_to(fleet: Fleet, org: Org) -> None:
    jobs = [python_job(org, "demo.add", a=1, b=number) for number in range(200)]

    parent = fleet.manage("runworker", "--processes", "3", "--until-empty")

    assert parent.ended() == 0
    wait_done(*jobs)
    assert WorkerProcess.objects.count() == 3
    assert sum(WorkerProcess.objects.values_list("jobs_processed", flat=True)) == len(jobs)
    assert_whole()


def test_a_second_signal_ends_all_at_once(fleet: Fleet, org: Org, seen: set[int], tmp_path: Path) -> None:
    parent = fleet.manage("runworker", "--processes", "2", SMARTQUEUE_DRAIN_GRACE_SECONDS="60")
    pids = children(parent, seen)
    for _ in range(10):
        python_job(org, "tests.until_file", path=str(tmp_path / "never"))
    patiently(lambda: pids_of_leases() == set(pids))
    parent.send(signal.SIGTERM)
    patiently(lambda: WorkerProcess.objects.filter(status="draining").count() == 2)

    parent.send(signal.SIGTERM)

    # Long before their grace of a minute is over.
    assert parent.ended(within_seconds=30) == 128 + signal.SIGTERM
    assert not any(psutil.pid_exists(pid) for pid in pids)
