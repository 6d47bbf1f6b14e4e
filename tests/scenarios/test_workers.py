"""Workers that are killed, stopped and told to end, while they work."""

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from jobs.models import Attempt, Job, Lease, WorkerProcess
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole, path_of
from tests.processes import Fleet, Process, database_now, patiently

LEASE_SECONDS = 3.0


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def python_job(org: Org, task: str, queue: str = "default", **kwargs: Any) -> Job:
    options = {name: kwargs.pop(name) for name in ("max_attempts",) if name in kwargs}
    return make_job(org, queue=queue, payload={"task": task, "kwargs": kwargs}, **options)


def runner_of(job: Job, workers: list[Process]) -> tuple[Process, list[Process]]:
    """The worker that runs a job, and the others."""
    lease = patiently(lambda: Lease.objects.filter(job_id=job.pk).first())
    pid = WorkerProcess.objects.get(pk=lease.worker_id).pid
    (running,) = [worker for worker in workers if worker.pid == pid]
    return running, [worker for worker in workers if worker is not running]


def wait_done(*jobs: Job) -> None:
    ids = [job.pk for job in jobs]
    patiently(lambda: Job.objects.filter(pk__in=ids, status="done").count() == len(ids))


def outcomes(job: Job) -> list[str]:
    return list(Attempt.objects.filter(job_id=job.pk).order_by("number").values_list("outcome", flat=True))


def finished(job: Job) -> float:
    job.refresh_from_db()
    assert job.finished_at is not None
    return job.finished_at.timestamp()


def test_a_long_job_runs_once_and_one_of_a_killed_worker_is_finished_by_the_other(fleet: Fleet, org: Org) -> None:
    fleet.watchdog()
    workers = fleet.workers(2)
    long = python_job(org, "demo.wait", seconds=2 * LEASE_SECONDS)
    wait_done(long)
    assert outcomes(long) == ["done"]
    assert Attempt.objects.get().runtime_ms >= 2 * LEASE_SECONDS * 1000

    seconds = 2.0
    job = python_job(org, "demo.wait", seconds=seconds)
    victim, _ = runner_of(job, workers)
    patiently(lambda: (Lease.objects.get().progress or 0) >= 0.5)
    killed = database_now()
    victim.send(signal.SIGKILL)
    wait_done(job)

    lost = Attempt.objects.get(outcome="lost")
    print(
        f"lease {LEASE_SECONDS:g} s: taken back {lost.ended_at.timestamp() - killed:.2f} s after the kill,"
        f" done after {finished(job) - killed:.2f} s"
    )
    assert outcomes(job) == ["lost", "done"]
    assert path_of(job.pk) == ["queued", "running", "queued", "running", "done"]
    assert finished(job) - killed <= LEASE_SECONDS + 5 + seconds
    assert lost.worker_name.endswith(f"-{victim.pid}")
    patiently(lambda: WorkerProcess.objects.get(pid=victim.pid).status == "dead")
    assert_whole()


def test_a_worker_told_to_end_finishes_what_is_short_and_gives_back_the_rest(
    fleet: Fleet, org: Org, tmp_path: Path
) -> None:
    (leaving,) = fleet.workers(1)
    go = tmp_path / "go"
    short = python_job(org, "demo.wait", seconds=1)
    long = python_job(org, "tests.until_file", path=str(go), max_attempts=1)
    patiently(lambda: Lease.objects.count() == 2)

    leaving.send(signal.SIGTERM)
    told = time.monotonic()
    patiently(lambda: WorkerProcess.objects.filter(status="draining").exists())
    late = python_job(org, "demo.add", a=1, b=2)
    assert leaving.ended() == 0

    print(f"drained in {time.monotonic() - told:.2f} s")
    assert outcomes(short) == ["done"]
    assert outcomes(long) == ["released"]
    assert path_of(long.pk) == ["queued", "running", "queued"]
    assert path_of(late.pk) == ["queued"]
    assert WorkerProcess.objects.get(pid=leaving.pid).status == "offline"
    go.touch()
    fleet.workers(1)
    wait_done(long, late)
    assert outcomes(long) == ["released", "done"]
    assert_whole()


def test_a_second_signal_ends_a_worker_at_once(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="60")
    python_job(org, "tests.until_file", path=str(tmp_path / "never"))
    patiently(lambda: Lease.objects.exists())
    worker.send(signal.SIGTERM)
    patiently(lambda: WorkerProcess.objects.get().status == "draining")

    worker.send(signal.SIGTERM)

    # Long before its grace of a minute is over.
    assert worker.ended(within_seconds=30) == 128 + signal.SIGTERM


def test_it_stops_when_everything_is_done_if_asked_to(fleet: Fleet, org: Org) -> None:
    for number in range(30):
        python_job(org, "demo.add", queue=f"q{number % 3}", a=1, b=number)

    workers = [fleet.manage("runworker", "--queues", "*", "--until-empty") for _ in range(2)]

    assert [worker.ended(60) for worker in workers] == [0, 0]
    assert Job.objects.filter(status="done").count() == 30
    assert_whole()


def test_ended_sessions_of_the_database_cost_no_job_and_repeat_none(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    fleet.watchdog()
    fleet.workers(2, "--concurrency", "2")
    marks = tmp_path / "marks"
    jobs: list[Job] = []
    for _ in range(4):
        batch = [python_job(org, "tests.mark", path=str(marks)) for _ in range(40)]
        jobs += batch
        ids = [job.pk for job in batch]
        # In the middle of their work.
        patiently(lambda ids=ids: Job.objects.filter(pk__in=ids, status="done").exists(), every_seconds=0.001)
        assert end_sessions()

    wait_done(*jobs)

    assert Counter(line.split()[0] for line in marks.read_text().splitlines()) == Counter(str(job.pk) for job in jobs)
    assert set(Attempt.objects.values_list("outcome", flat=True)) <= {"done", "released"}
    assert_whole()


def end_sessions() -> int:
    """End every session of the test's database but our own; how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])
