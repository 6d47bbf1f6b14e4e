"""Hosts whose clocks are wrong, differ, and jump while work is under way: all deadlines are the database's."""

import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smartqueue.embedded import Server
from tests.processes import QUICK, patiently
from tests.proofs import figure, times
from tests.scenarios.deployment import DURABLE_CONF, KINDS, Deployment, migrated, state_folder

PIECES = ("web", *KINDS)
HOUR, DAY = 3600, 86_400
# What the clocks of web, scheduler, watchdog and worker are off by: they jump from each line to the next.
WRONG = [
    (HOUR, HOUR, HOUR, HOUR),
    (-2 * DAY, -2 * DAY, -2 * DAY, -2 * DAY),
    (HOUR, -2 * DAY, HOUR, -2 * DAY),
    (-2 * DAY, HOUR, -2 * DAY, HOUR),
    (0, 2 * DAY, -HOUR, 0),
    (2 * DAY, 0, 0, -HOUR),
    (-HOUR, -HOUR, 2 * DAY, 2 * DAY),
    (0, 0, 0, 0),
]
LEASE_SECONDS, LONG_SECONDS = 4, 6
# libfaketime 0.9.10 refuses clock_nanosleep(), which is what time.sleep() is, where the monotonic clock stays right.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
# The bar is 2 s on a machine of its own.
LATE_SECONDS = 30.0


def library() -> str:
    """What makes a process see another time: the variant for threads."""
    if not shutil.which("faketime"):
        return ""
    shown = subprocess.run(["faketime", "-m", "-f", "+0", "env"], capture_output=True, text=True, check=False)
    return next((line[11:] for line in shown.stdout.splitlines() if line.startswith("LD_PRELOAD=")), "")


FAKETIME = library()
pytestmark = pytest.mark.skipif(not FAKETIME, reason="NO CLOCK CAN BE MADE WRONG: apt-get install faketime")


class Clocks:
    """One file a kind of process, which says by how much its clock is wrong, and is read again each second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(SLEEP)

    def environ(self, kind: str) -> dict[str, str]:
        return {
            "LD_PRELOAD": FAKETIME,
            "PYTHONPATH": str(self.folder),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / f"{kind}.clock"),
            "FAKETIME_CACHE_DURATION": "1",
            # Only the clock on the wall is wrong; and gunicorn keeps monotonic times in the times of a file.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, wrong: tuple[int, ...]) -> None:
        for kind, seconds in zip(PIECES, wrong, strict=True):
            draft = self.folder / f"{kind}.draft"
            draft.write_text(f"{seconds:+d}\n")
            draft.replace(self.folder / f"{kind}.clock")


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    clocks = Clocks(tmp_path)
    clocks.set(WRONG[0])
    return clocks


def test_wrong_clocks_make_nothing_early_or_late_and_cost_no_lease(
    request: pytest.FixtureRequest, tmp_path: Path, clocks: Clocks
) -> None:
    quick = {"SMARTQUEUE_LEASE_SECONDS": str(LEASE_SECONDS), "SMARTQUEUE_WORKER_DEAD_SECONDS": "5"}
    with state_folder() as state, migrated(request, tmp_path, Server(state, DURABLE_CONF), **quick) as site:
        for kind in PIECES:
            site.fleet.environ.update(clocks.environ(kind))
            site.begin(kind)
        patiently(site.ready)
        site.client.register()
        web_is_wrong(site, WRONG[0][0])
        jumps = WRONG[1 : 1 + times(2, 7)]
        jobs = [each for wrong in jumps for each in over_a_jump(site, clocks, wrong)]
        patiently(lambda: site.rows("SELECT FROM jobs_job WHERE status NOT IN ('done', 'failed')") == [])
        early, late = off(site, dict(jobs))
        site.assert_whole()
        assert site.rows("SELECT FROM jobs_attempt WHERE outcome NOT IN ('done', 'error')") == []
        assert site.rows("SELECT FROM jobs_workerprocess WHERE status = 'dead'") == []
    figure("F11", jumps=len(jumps), jobs=len(jobs), earliest_seconds=early, latest_seconds=late, leases_lost=0)
    assert early >= 0
    assert late < LATE_SECONDS


def web_is_wrong(site: Deployment, seconds: int) -> None:
    """Else the test would show nothing."""

    def seen() -> bool:
        date = site.client.call("GET", "/healthz").headers["Date"]
        there = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
        return abs(there - time.time() - seconds) < 30

    patiently(seen)


def over_a_jump(site: Deployment, clocks: Clocks, wrong: tuple[int, ...]) -> list[tuple[str, float]]:
    """Jobs that are to begin after the clocks jump, or that run while they do; (id, due by the database's clock)."""
    long = {"task": "demo.wait", "kwargs": {"seconds": LONG_SECONDS}}
    site.client.submitted({"type": "python", "payload": long})
    patiently(lambda: site.rows("SELECT FROM jobs_lease"))
    delayed = [delayed_job(site, seconds) for seconds in (1.5, 2, 2.5, 3, 3.5, 4)]
    fails = {"task": "tests.fail_with", "kwargs": {"message": "on purpose"}}
    site.client.submitted({"type": "python", "payload": fails, "max_attempts": 3})
    clocks.set(wrong)
    web_is_wrong(site, wrong[0])
    delayed += [delayed_job(site, seconds) for seconds in (0.5, 1)]
    patiently(lambda: site.rows("SELECT FROM jobs_lease") == [])
    return delayed


def delayed_job(site: Deployment, seconds: float) -> tuple[str, float]:
    """Every other one names a time, as a client whose own clock is right does."""
    add = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    if seconds % 1:
        job_id = site.client.submitted(add | {"delay_seconds": seconds})
        made = dict(site.rows("SELECT id::text, extract(epoch FROM created_at)::float8 FROM jobs_job"))
        return job_id, made[job_id] + seconds
    due = site.rows("SELECT clock_timestamp()")[0][0] + timedelta(seconds=seconds)
    return site.client.submitted(add | {"run_at": due.isoformat()}), due.timestamp()


def off(site: Deployment, due: dict[str, float]) -> tuple[float, float]:
    """The seconds after its time that a job began: the least and the most, retries among them."""
    began = "SELECT job_id::text, extract(epoch FROM started_at)::float8 FROM jobs_attempt WHERE number = 1"
    seconds = [at - due[job_id] for job_id, at in site.rows(began) if job_id in due]
    assert len(seconds) == len(due)
    retried = site.rows(
        "SELECT extract(epoch FROM next.started_at - one.ended_at)::float8, next.number FROM jobs_attempt AS one"
        " JOIN jobs_attempt AS next ON next.job_id = one.job_id AND next.number = one.number + 1"
    )
    assert retried
    base = float(QUICK["SMARTQUEUE_RETRY_BASE_SECONDS"])
    seconds += [gap - base * 2 ** (number - 2) for gap, number in retried]
    return round(min(seconds), 3), round(max(seconds), 3)
