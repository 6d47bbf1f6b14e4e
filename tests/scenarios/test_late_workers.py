"""Workers that are stopped for longer than their lease, and go on when others have done their work."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.models import Attempt, Job, Lease
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.whole import assert_whole, path_of
from tests.processes import Fleet, Process, patiently
from tests.proofs import figure, times
from tests.scenarios.test_workers import outcomes, python_job, runner_of, wait_done


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def fenced(worker: Process, job: Job) -> int:
    """How often it was told that a job is no longer its own."""
    return sum('"fenced"' in line and str(job.pk) in line for line in worker.text.splitlines())


def wakes_late(job: Job, workers: list[Process], meanwhile: Callable[[], object]) -> Process:
    """The worker of a job, stopped until another has ended the job, and awake again: its own end was refused."""
    sleeper, _ = runner_of(job, workers)
    sleeper.send(signal.SIGSTOP)
    patiently(lambda: Lease.objects.filter(job_id=job.pk, attempt=2).exists())
    meanwhile()
    wait_done(job)
    before = Job.objects.filter(pk=job.pk).values().get()

    sleeper.send(signal.SIGCONT)
    patiently(lambda: fenced(sleeper, job))

    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert before["result"] == 2
    return sleeper


def test_what_a_worker_ends_that_wakes_late_is_fenced_once(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    fleet.watchdog()
    workers = fleet.workers(2)
    late: list[tuple[Job, Process]] = []
    for number in range(times(1, 5)):
        go = tmp_path / f"go {number}"
        job = python_job(org, "tests.until_file", path=str(go))
        late.append((job, wakes_late(job, workers, go.touch)))

    # Both go on working.
    assert all(worker.running for worker in workers)
    wait_done(*[python_job(org, "demo.add", a=1, b=number) for number in range(10)])
    for job, sleeper in late:
        assert outcomes(job) == ["lost", "done"]
        assert path_of(job.pk) == ["queued", "running", "queued", "running", "done"]
        assert [one.fenced_at is not None for one in Attempt.objects.filter(job_id=job.pk).order_by("number")] == [
            True,
            False,
        ]
        assert fenced(sleeper, job) == 1
    figure("F4 worker wakes after its lease", times=len(late), fenced=len(late), overwritten=0)
    assert_whole()


def test_one_stopped_between_effect_and_end_repeats_the_effect_and_not_the_end(
    fleet: Fleet, org: Org, tmp_path: Path
) -> None:
    """The job leaves its mark, then waits for a file: there its worker is stopped."""
    fleet.watchdog()
    workers = fleet.workers(2)
    effects = tmp_path / "effects"
    jobs: list[Job] = []
    for number in range(times(1, 10)):
        go = tmp_path / f"go {number}"
        job = python_job(org, "tests.until_file", path=str(go), started=str(effects))
        jobs.append(job)
        patiently(lambda job=job: effects.exists() and str(job.pk) in effects.read_text())
        wakes_late(job, workers, go.touch)

    seen = Counter(line.split()[0] for line in effects.read_text().splitlines())
    attempts = Counter(str(pk) for pk in Attempt.objects.values_list("job_id", flat=True))
    figure(
        "F5 stopped between effect and end",
        times=len(jobs),
        effects=seen.total(),
        attempts=attempts.total(),
        done=Attempt.objects.filter(outcome="done").count(),
    )
    assert all(seen[str(job.pk)] <= attempts[str(job.pk)] for job in jobs)
    assert all(outcomes(job) == ["lost", "done"] for job in jobs)
    assert_whole()
