"""The tables change, and old and new versions run side by side, while jobs come in and are worked off."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from psycopg import sql as names

from jobs.models import Attempt, Job, WorkerProcess
from tests.concurrency import elsewhere
from tests.jobs.queue.whole import assert_whole
from tests.process import ROOT
from tests.processes import Fleet, Process, leader_pid, patiently
from tests.proofs import figure, times
from tests.scenarios.clients import Small, load_on, under_way

LOCK_TIMEOUT_SECONDS = 2
# How much longer a submit may take than a migration waits for its lock: in the proofs, and on a machine that is busy.
LEEWAY_SECONDS = times(30, 1)
TOMORROW = {"DJANGO_SETTINGS_MODULE": "tests.scenarios.expand.settings"}


@pytest.fixture(autouse=True)
def today(transactional_db: None) -> Iterator[None]:
    """What a test has added to the tables is gone afterwards."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE jobs_job DROP COLUMN IF EXISTS colour, DROP COLUMN IF EXISTS weight")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs' AND name >= '9'")


def all_ended() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM jobs_job WHERE status NOT IN ('done', 'cancelled')")
        return cursor.fetchone()[0] == 0


def assert_nothing_lost_or_burnt(*loads: Small) -> None:
    """Every job that was acknowledged is there and was done at its first try, unless it was cancelled before."""
    patiently(all_ended)
    assert set().union(*[load.acknowledged() for load in loads]) == {
        str(pk) for pk in Job.objects.values_list("pk", flat=True)
    }
    assert [load.told.faults for load in loads] == [[]] * len(loads)
    assert [load.told.refused for load in loads] == [{}] * len(loads)
    # given back by a worker that was told to end, a job is tried once more, which burns nothing
    assert set(Attempt.objects.values_list("outcome", flat=True)) <= {"done", "cancelled", "released"}
    assert_whole()


def have_worked() -> set[int]:
    """The processes of those workers that have ended an attempt."""
    used = Attempt.objects.values_list("worker_id", flat=True).distinct()
    return set(WorkerProcess.objects.filter(pk__in=list(used)).values_list("pid", flat=True))


# --- a migration under load -----------------------------------------------------------------------------------------


def test_migrations_under_load_refuse_no_request_and_hold_none_up_for_long(fleet: Fleet, tmp_path: Path) -> None:
    """With a report in the way that reads the table, and another that has begun before an index is made."""
    fleet.scheduler()
    fleet.watchdog()
    old = fleet.workers(2, "--concurrency", "4")
    with load_on(fleet.web(), tmp_path, times(20, 50)) as load:
        under_way(load)
        with reading("jobs_leaderterm"):
            with reading("jobs_job"):
                began = time.monotonic()
                migrating = fleet.manage("migrate", "--noinput", **TOMORROW)
                patiently(lambda: f"try {times(2, 5)} of" in migrating.text)
            patiently(waits_for_transactions)
            under_way(load)
            assert migrating.running
        assert migrating.ended(120) == 0, migrating.text
        took = time.monotonic() - began
        new = fleet.workers(2, "--concurrency", "4", **TOMORROW)
        patiently(lambda: have_worked() >= {worker.pid for worker in [*old, *new]})
        for worker in old:
            worker.send(signal.SIGTERM)
        assert [worker.ended() for worker in old] == [0, 0]
        under_way(load)

    longest = max(wait for _, wait in load.told.waits)
    figure(
        "F30 migration under load",
        submits=len(load.told.waits),
        refused_or_unanswered=len(load.told.faults),
        longest_submit_seconds=round(longest, 2),
        lock_timeout_seconds=LOCK_TIMEOUT_SECONDS,
        migrating_seconds=round(took, 1),
        stood_back=migrating.text.count("was not to be had"),
    )
    assert_migrated()
    assert_nothing_lost_or_burnt(load)
    assert longest <= LOCK_TIMEOUT_SECONDS + LEEWAY_SECONDS


@contextmanager
def reading(table: str) -> Iterator[None]:
    """A report that has read a table and keeps its transaction open."""
    with elsewhere() as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute(names.SQL("SELECT count(*) FROM {}").format(names.Identifier(table)))
        yield


def waits_for_transactions() -> bool:
    """Making the index waits for those that began before it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


def assert_migrated() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'job_colour_idx'::regclass")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'job_weight_valid'")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT count(*) FROM jobs_job WHERE weight <> 1 OR colour IS NOT NULL")
        assert cursor.fetchone() == (0,)


# --- the version before, beside today's -----------------------------------------------------------------------------


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The code from before the newest migration of the queue's tables, as Git knows it."""
    newest = sorted((ROOT / "jobs" / "migrations").glob("[0-9]*.py"))[-1]
    # by where a branch was merged: what stood in the middle of it was never run beside anything
    landed = ("--first-parent", "--diff-merges=first-parent", "--diff-filter=A", "--no-patch", "--format=%H")
    added = git("log", *landed, "--", str(newest.relative_to(ROOT))).decode().split()
    if not added:
        pytest.skip(f"NOT TESTED BESIDE THE VERSION BEFORE: Git does not know when {newest.name} came")
    archive = git("archive", f"{added[-1]}^")
    if not archive:
        pytest.skip(f"NOT TESTED BESIDE THE VERSION BEFORE: Git has none before {newest.name}")
    folder = tmp_path / "before"
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    assert not (folder / newest.relative_to(ROOT)).exists()
    return folder


def git(*words: str) -> bytes:
    """What it says; nothing when it fails, as where there is no repository."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


class Before:
    """Processes of the version before."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet, self.folder = fleet, folder

    def python(self, *words: str, fds: tuple[int, ...] = ()) -> Process:
        command = ["env", "-C", str(self.folder), sys.executable, *words]
        return self.fleet.start(command, *fds, SMARTQUEUE_TASK_MODULES="smartqueue.demo.tasks")

    def web(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            bind = ["--bind", f"fd://{listener.fileno()}", "--worker-class", "gthread", "--threads", "4"]
            words = ["-m", "gunicorn", "smartqueue.wsgi:application", "--no-control-socket", *bind]
            self.python(*words, fds=(listener.fileno(),))
            return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_the_version_before_works_on_beside_todays_until_it_is_ended(
    fleet: Fleet, tmp_path: Path, before: Path
) -> None:
    """On today's tables, as it is between the migration and the last old process."""
    then = Before(fleet, before)
    minders = [then.python("manage.py", word) for word in ("runscheduler", "runwatchdog")]
    (old,) = fleet.ready([then.python("manage.py", "runworker", "--concurrency", "4")])
    assert Path(f"/proc/{old.pid}/cwd").resolve() == before.resolve()
    patiently(lambda: leader_pid() == minders[0].pid)
    with load_on(fleet.web(), tmp_path, 10) as load:
        with load_on(then.web(), tmp_path, 10, load.token) as old_load:
            (new,) = fleet.workers(1, "--concurrency", "4")
            scheduler = fleet.scheduler()
            fleet.watchdog()
            patiently(lambda: have_worked() >= {old.pid, new.pid})
            under_way(load, times(20, 500))
            under_way(old_load, times(20, 500))
        for process in [old, *minders]:
            process.send(signal.SIGTERM)
        assert [process.ended() for process in [old, *minders]] == [0, 0, 0]
        patiently(lambda: leader_pid() == scheduler.pid)
        under_way(load)

    figure(
        "F30 the version before beside today's",
        jobs=Job.objects.count(),
        refused_or_unanswered=len(load.told.faults) + len(old_load.told.faults),
        attempts_burnt=Attempt.objects.exclude(outcome__in=["done", "cancelled", "released"]).count(),
    )
    assert_nothing_lost_or_burnt(load, old_load)
