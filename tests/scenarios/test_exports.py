"""Exports over REST by a real worker: the file as other programs read it, the memory it took, and how it stops."""

import csv
import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.db import connection

from jobs.models import Artefact, Attempt, Job, Lease
from orgs.models import Org
from tests.eventually import eventually
from tests.factories import make_job, make_org
from tests.processes import Fleet, Process, patiently
from tests.proofs import figure, times
from tests.scenarios.rest import Rest

GROWTH_MAX_BYTES = 200_000_000
# Rows of one statement, which has a minute.
CHUNK = 100_000
COPY = """
    INSERT INTO jobs_job ({names})
    SELECT {values} FROM jobs_job, generate_series(1, %s) AS number WHERE id = %s
"""


@pytest.fixture
def org(fleet: Fleet, tmp_path: Path) -> Org:
    fleet.environ["SMARTQUEUE_MEDIA_ROOT"] = str(tmp_path / "kept")
    fleet.environ["SMARTQUEUE_WORK_ROOT"] = str(tmp_path / "work")
    return make_org("acme")


def many(org: Org, count: int) -> None:
    """So many jobs that nobody will run."""
    job = make_job(org, title='=1+1, "quoted"\nand more', queue="asleep", delay_seconds=80_000, description="ü" * 200)
    fields = [field for field in Job._meta.concrete_fields if not field.generated]
    names = [field.column for field in fields]
    values = ["gen_random_uuid()" if name == "id" else name for name in names]
    with connection.cursor() as cursor:
        for begin in range(1, count, CHUNK):
            copies = min(CHUNK, count - begin)
            cursor.execute(COPY.format(names=", ".join(names), values=", ".join(values)), [copies, job.pk])


def submit(rest: Rest, timeout_seconds: int = 600, **payload: object) -> str:
    body = {"type": "data-export", "payload": {"dataset": "jobs", **payload}, "max_attempts": 1}
    answer = rest.post("jobs/", {**body, "timeout_seconds": timeout_seconds})
    assert answer.status == 201, answer
    return str(answer.body["id"])


def ended(job_id: str) -> Job:
    eventually(lambda: ended_now(job_id), within_seconds=900, every_seconds=0.2)
    return Job.objects.get(pk=job_id)


def download(rest: Rest, job: Job, to: Path) -> Path:
    path = f"{rest.url}/api/v1/jobs/{job.pk}/artefacts/{job.result['artefact']}/"
    answer = rest.pool.request("GET", path, headers=rest.headers)
    assert answer.status == 200
    assert hashlib.sha256(answer.data).hexdigest() == job.result["sha256"]
    to.write_bytes(answer.data)
    return to


@contextmanager
def watched(worker: Process) -> Iterator[list[int]]:
    """How much memory the worker has, again and again."""
    seen, over = [], threading.Event()
    process = psutil.Process(worker.pid)

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def snapshots() -> int:
    """Transactions of exports that are open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND query LIKE '%_django_curs_%' AND state <> 'idle'"
        )
        return int(cursor.fetchone()[0])


def test_many_jobs_in_little_memory_read_by_other_programs(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    count = times(50_000, 1_000_000)
    many(org, count)
    rest = Rest(fleet, org)
    (worker,) = fleet.workers(1)
    ended(submit(rest, limit=1_000))  # what is loaded with the first of its kind
    before = psutil.Process(worker.pid).memory_info().rss

    with watched(worker) as seen:
        job_id = submit(rest, gzip=True, filter={"queue": "asleep"}, order="-priority")
        patiently(lambda: Lease.objects.filter(job_id=job_id, progress__gt=0).exists() or ended_now(job_id))
        make_job(org, queue="asleep", delay_seconds=80_000)  # after its snapshot
        job = ended(job_id)

    assert (job.status, job.error) == ("done", "")
    assert (job.result["rows"], job.result["truncated"]) == (count, False)
    growth = max(seen) - before
    figure(
        "export",
        rows=count,
        growth_mb=round(growth / 1e6, 1),
        seconds=round((job.runtime_ms or 0) / 1000, 1),
        megabytes=round(job.result["bytes"] / 1e6, 1),
    )
    assert growth < GROWTH_MAX_BYTES
    file = download(rest, job, tmp_path / "jobs.csv.gz")
    assert subprocess.run(["gzip", "-t", str(file)], check=False).returncode == 0
    subprocess.run(["gzip", "-d", str(file)], check=True)
    told = imported(tmp_path / "jobs.csv")
    assert told == [str(count), str(count), '\'=1+1, "quoted"\nand more']
    with (tmp_path / "jobs.csv").open(newline="", encoding="utf-8") as text:
        rows = csv.DictReader(text, strict=True)
        assert sum(row["queue"] == "asleep" and row["status"] == "scheduled" for row in rows) == count


def ended_now(job_id: str) -> bool:
    return Job.objects.filter(pk=job_id, finished_at__isnull=False).exists()


def imported(path: Path) -> list[str]:
    """Rows, ids and the one title, as sqlite3 has them of the file."""
    questions = "SELECT count(*), count(DISTINCT id), max(title) FROM jobs"
    command = ["sqlite3", "-json", ":memory:", f".import --csv {path} jobs", questions]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stderr == ""
    (row,) = json.loads(answer.stdout)
    return [str(value) for value in row.values()]


@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_it_stops_within_two_seconds_and_leaves_nothing(fleet: Fleet, org: Org, tmp_path: Path, way: str) -> None:
    many(org, 150_000)
    rest = Rest(fleet, org)
    fleet.workers(1)
    job_id = submit(rest, timeout_seconds=1 if way == "timeout" else 600, columns=["id", "payload", "description"])
    patiently(lambda: Lease.objects.filter(job_id=job_id).exists(), every_seconds=0.02)
    if way == "cancel":
        patiently(lambda: snapshots() > 0, every_seconds=0.02)

    asked = time.monotonic()
    if way == "cancel":
        assert rest.post(f"jobs/{job_id}/cancellation/", {}).status in (200, 202)
    patiently(lambda: ended_now(job_id), every_seconds=0.02)
    took = time.monotonic() - asked

    assert took < (2.0 if way == "cancel" else 3.0)
    assert Attempt.objects.get(job_id=job_id).outcome == {"cancel": "cancelled", "timeout": "timeout"}[way]
    patiently(lambda: snapshots() == 0, within_seconds=2.0)
    assert list((tmp_path / "work").iterdir()) == []
    assert not Artefact.objects.exists()
    figure(f"export {way}", seconds=round(took, 2))
