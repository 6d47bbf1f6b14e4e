"""Attempts in processes of their own: whatever they do, the worker lives on and nothing is left of them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.models import Artefact, Attempt, Job, Lease, LogLine, WorkerProcess
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole, path_of
from tests.processes import Fleet, below, patiently
from tests.proofs import figure, times

QUICK_END = {"SMARTQUEUE_CHILD_KILL_GRACE_SECONDS": "0.3"}


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def isolated(org: Org, task: str, *, max_attempts: int = 1, timeout_seconds: int | None = None, **kwargs: Any) -> Job:
    payload = {"task": f"child_tasks.{task}", "kwargs": kwargs}
    return make_job(org, payload=payload, max_attempts=max_attempts, timeout_seconds=timeout_seconds)


def ended(*jobs: Job) -> list[Job]:
    ids = [job.pk for job in jobs]
    patiently(lambda: Job.objects.filter(pk__in=ids, status__in=["done", "failed", "cancelled"]).count() == len(ids))
    found = Job.objects.in_bulk(ids)
    return [found[pk] for pk in ids]


def lines(job: Job) -> list[tuple[str, str]]:
    return list(LogLine.objects.filter(job_id=job.pk).order_by("id").values_list("stream", "text"))


def test_it_has_a_process_of_its_own_and_all_that_a_context_offers(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    first, second = ended(isolated(org, "whoami"), isolated(org, "whoami"))
    assert len({worker.pid, first.result["pid"], second.result["pid"]}) == 3
    assert first.result["session"] == first.result["pid"]

    (job,) = ended(isolated(org, "about_me", greeting="good day"))

    assert (job.status, job.result["attempt"], job.result["org"]) == ("done", 1, "acme")
    artefact = Artefact.objects.get(pk=job.result["artefact"])
    with artefact.file.open("rb") as file:
        assert file.read() == bytes(range(256)) * 4000
    assert sorted(lines(job)) == [
        ("log", "good day from attempt 1"),
        ("stderr", "complained"),
        ("stdout", "printed"),
        ("stdout", "raw"),
    ]
    patiently(lambda: below(worker) == [])
    assert_whole()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("kill", "Its process was ended by SIGKILL."),
        ("segfault", "Its process was ended by SIGSEGV."),
        ("exit", "Its process exited with code 3 before it had answered."),
        ("abort", "Its process was ended by SIGABRT."),
    ],
)
def test_a_poison_job_fails_after_its_attempts_and_the_worker_lives_on(
    fleet: Fleet, org: Org, how: str, says: str
) -> None:
    fleet.scheduler()
    (worker,) = fleet.workers(1)

    (job,) = ended(isolated(org, "die", how=how, max_attempts=3))

    assert (job.status, job.error_type, job.error) == ("failed", "Crashed", says)
    assert list(Attempt.objects.order_by("number").values_list("number", "outcome")) == [
        (number, "crashed") for number in (1, 2, 3)
    ]
    if how == "segfault":
        assert any("Segmentation fault" in text for _, text in lines(job))
    assert worker.running
    assert WorkerProcess.objects.get(kind="worker").pid == worker.pid
    (well,) = ended(isolated(org, "whoami"))
    assert well.status == "done"
    assert_whole()


def test_a_hundred_crashes_are_each_seen_within_three_seconds(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, "--concurrency", "2")

    jobs = ended(*[isolated(org, "die", how="kill") for _ in range(100)])

    took = sorted(Attempt.objects.filter(outcome="crashed").values_list("runtime_ms", flat=True))
    seconds = {"median_seconds": round(took[50] / 1000, 2), "longest_seconds": round(took[-1] / 1000, 2)}
    figure("F1 child killed, until its crash is recorded", crashes=len(took), **seconds)
    assert {job.status for job in jobs} == {"failed"}
    # The attempt does nothing but crash; the first waits for the fork server to start.
    assert len(took) == 100
    assert took[-2] < times(60_000, 3_000)
    assert worker.running


def test_a_killed_fork_server_or_minder_is_a_crash_and_the_next_attempt_runs(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    (job,) = ended(isolated(org, "kill_minder"))
    assert (job.status, job.error_type) == ("failed", "Crashed")

    (server,) = psutil.Process(worker.pid).children()
    waiting = isolated(org, "until_stopped", max_attempts=1)
    patiently(lambda: len(below(worker)) == 2)
    server.kill()
    (job,) = ended(waiting)

    assert (job.status, job.error_type) == ("failed", "Crashed")
    (well,) = ended(isolated(org, "whoami"))
    assert well.status == "done"
    assert worker.running
    assert_whole()


@pytest.mark.parametrize("stay", [False, True], ids=["it ends", "its time is over"])
def test_nothing_is_left_of_what_it_started(fleet: Fleet, org: Org, tmp_path: Path, stay: bool) -> None:
    (worker,) = fleet.workers(1, **QUICK_END)
    path = tmp_path / "pids"
    path.touch()

    (job,) = ended(isolated(org, "litter", path=str(path), stay=stay, timeout_seconds=4))

    assert (job.status, job.outcome) == (("failed", "timeout") if stay else ("done", "done"))
    pids = [int(line) for line in path.read_text().split()]
    assert len(pids) == 3
    assert not any(map(psutil.pid_exists, pids))
    patiently(lambda: below(worker) == [])


def test_one_that_computes_for_ever_is_killed_when_its_time_is_over(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, **QUICK_END)

    (job,) = ended(isolated(org, "spin", timeout_seconds=1))

    assert (job.status, job.outcome, job.error_type) == ("failed", "timeout", "Timeout")
    print(f"killed {job.runtime_ms:.0f} ms after its start")
    patiently(lambda: below(worker) == [])
    assert worker.running


def test_nothing_is_left_of_a_crowd_that_forks_for_ever(fleet: Fleet, org: Org) -> None:
    """Deaf, each in a session of its own, and never the same processes for long."""
    (worker,) = fleet.workers(1, **QUICK_END)
    name = f"bomb-{os.getpid()}"
    # its two seconds are not to pass while the fork server starts
    ended(isolated(org, "whoami"))
    bomb = isolated(org, "bomb", name=name, depth=5, timeout_seconds=2)
    patiently(lambda: len(called(name)) > 16)

    (job,) = ended(bomb)

    figure("F15 fork bomb, isolated", seconds_to_the_end=round(job.runtime_ms / 1000, 1), of_timeout=2, grace=0.3)
    assert (job.status, job.outcome) == ("failed", "timeout")
    patiently(lambda: called(name) == [])
    patiently(lambda: below(worker) == [])
    (well,) = ended(isolated(org, "whoami"))
    assert (well.status, worker.running) == ("done", True)


def called(name: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == name]


def test_output_without_end_is_cut_and_ends_with_its_time(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, **QUICK_END)

    (job,) = ended(isolated(org, "flood", megabytes=10**9, timeout_seconds=2))

    rss = psutil.Process(worker.pid).memory_info().rss
    figure(
        "F15 endless output, isolated", seconds_to_the_end=round(job.runtime_ms / 1000, 1), worker_megabytes=rss >> 20
    )
    assert (job.status, job.outcome) == ("failed", "timeout")
    assert sum(len(text) for _, text in lines(job)) < 1_000_000
    assert rss < 400_000_000
    patiently(lambda: below(worker) == [])


def test_it_may_take_only_so_much(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_CHILD_MEMORY_MAX_BYTES="200000000")

    hog, burn, flood, file = ended(
        isolated(org, "hog"),
        isolated(org, "burn"),
        isolated(org, "flood", megabytes=times(50, 2_000)),
        isolated(org, "fill_file", path=str(tmp_path / "large")),
    )

    assert (hog.status, hog.error_type) == ("failed", "MemoryError")
    assert (burn.outcome, "processor time" in burn.error) == ("crashed", True)
    assert (flood.status, flood.result) == ("done", "written")
    assert "bytes of stdout are left out" in lines(flood)[-1][1]
    assert sum(len(text) for _, text in lines(flood)) < 1_000_000
    assert file.status == "failed"
    assert psutil.Process(worker.pid).memory_info().rss < 400_000_000


def test_its_answers_are_told_apart(fleet: Fleet, org: Org) -> None:
    fleet.scheduler()
    fleet.workers(1)

    error, permanent, nonsense, users = ended(
        isolated(org, "raise_error", permanent=False, max_attempts=2),
        isolated(org, "raise_error", permanent=True, max_attempts=2),
        isolated(org, "answer_nonsense", max_attempts=2),
        isolated(org, "count_users"),
    )

    assert (error.error_type, error.attempt, "as told" in error.error) == ("ValueError", 2, True)
    assert (permanent.error_type, permanent.attempt, permanent.error) == ("PermanentFailure", 1, "as told")
    assert (nonsense.error_type, nonsense.attempt) == ("BadResult", 1)
    assert (users.status, users.result) == ("done", 0)
    assert_whole()


def test_however_much_it_says_it_is_understood(fleet: Fleet, org: Org) -> None:
    fleet.workers(1, SMARTQUEUE_LOG_MAX_LINES="100")

    (job,) = ended(isolated(org, "say_a_lot"))

    assert (job.status, job.error_type) == ("failed", "PermanentFailure")
    assert set(job.error) == {"z"}
    assert len(lines(job)) == 100
    assert "the rest is dropped" in lines(job)[-1][1]


def test_it_is_asked_to_stop_when_it_is_cancelled_and_when_its_worker_drains(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="0.5")
    cancelled = isolated(org, "until_stopped")
    patiently(lambda: len(below(worker)) == 2)
    Lease.objects.update(cancel_requested=True)
    (job,) = ended(cancelled)
    assert (job.status, job.outcome) == ("cancelled", "cancelled")

    drained = isolated(org, "until_stopped")
    patiently(lambda: len(below(worker)) == 2)
    worker.send(signal.SIGTERM)

    assert worker.ended() == 0
    assert path_of(drained.pk) == ["queued", "running", "queued"]
    assert_whole()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told twice to end"])
def test_nothing_outlives_the_worker(fleet: Fleet, org: Org, tmp_path: Path, signum: signal.Signals) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="60")
    path = tmp_path / "pids"
    path.touch()
    isolated(org, "litter", path=str(path), stay=True)
    isolated(org, "spin")
    patiently(lambda: len(path.read_text().split()) == 3 and len(below(worker)) >= 7)
    family = psutil.Process(worker.pid).children(recursive=True)

    for _ in range(1 if signum == signal.SIGKILL else 2):
        worker.send(signum)
        time.sleep(0.2)
    worker.ended()

    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert not any(psutil.pid_exists(int(pid)) for pid in path.read_text().split())


def test_the_worker_keeps_no_file_open(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    ended(*[isolated(org, "whoami") for _ in range(5)])
    before = len(os.listdir(f"/proc/{worker.pid}/fd"))

    ended(*[isolated(org, "whoami") for _ in range(20)])

    patiently(lambda: len(os.listdir(f"/proc/{worker.pid}/fd")) <= before)
