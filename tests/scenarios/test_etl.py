"""etl jobs over REST, in shut-in processes of a real worker: what they make, and what they cannot take."""

import csv
import io
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from jobs.errors import InvalidPayload
from jobs.files import store
from jobs.handlers.etl.sources import file_name
from jobs.models import Artefact, Job, Lease
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, patiently
from tests.proofs import figure, times
from tests.scenarios.rest import Rest
from tests.scenarios.test_isolated import below, ended

ROWS = 20_000


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def sent(org: Org, data: bytes, name: str = "orders.csv") -> str:
    """A file as a person sends it; its id."""
    stored = store(org.pk, io.BytesIO(data), max_bytes=len(data))
    artefact = Artefact.objects.create(
        org=org,
        name=name,
        content_type="text/csv",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        file=stored.name,
    )
    return str(artefact.pk)


def orders() -> list[tuple[int, str, str]]:
    random_ = random.Random(7)
    return [(number, random_.choice("ABCDE"), f"{random_.randrange(1, 100_000) / 100:.2f}") for number in range(ROWS)]


def as_csv(rows: list[tuple[int, str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("id", "country", "amount"), *rows])
    return text.getvalue().encode()


def test_a_job_over_rest_makes_the_table_that_a_database_would(fleet: Fleet, org: Org) -> None:
    fleet.workers(1)
    rest = Rest(fleet, org)
    payload = {
        "source": {"artefact": sent(org, as_csv(orders()))},
        "steps": [
            {"cast": {"amount": "decimal(10,2)"}},
            {"filter": "amount >= 250 and country != 'E'"},
            {"group": {"by": ["country"], "aggregates": {"n": {"count": "*"}, "total": {"sum": "amount"}}}},
        ],
        "sink": {"artefact": "totals.csv"},
    }

    answer = rest.post("jobs/", {"type": "etl", "payload": payload})
    assert answer.status == 201, answer
    patiently(lambda: Job.objects.filter(pk=answer.body["id"], status__in=["done", "failed"]).exists())

    job = Job.objects.get()
    assert job.status == "done", job.error
    assert (job.result["rows_read"], job.result["rows_written"], job.result["bad_rows"]["count"]) == (ROWS, 4, 0)
    url = f"{rest.url}/api/v1/jobs/{job.pk}/artefacts/{job.result['artefact']}/"
    reply = rest.pool.request("GET", url, headers=rest.headers)
    found = list(csv.reader(io.StringIO(reply.data.decode())))
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE orders (id, country, cents)")
        database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)",
            [(number, country, int(amount.replace(".", ""))) for number, country, amount in orders()],
        )
        wanted = database.execute(
            "SELECT country, count(*), sum(cents) FROM orders"
            " WHERE cents >= 25000 AND country != 'E' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [
        ["country", "n", "total"],
        *([c, str(n), f"{cents // 100}.{cents % 100:02}"] for c, n, cents in wanted),
    ]
    assert_whole()


def test_a_file_of_another_organisation_is_not_there(fleet: Fleet, org: Org) -> None:
    fleet.workers(1)
    theirs = sent(make_org("rival"), b"a\n1\n")

    (job,) = ended(etl(org, theirs))

    assert (job.status, job.error_type, job.attempt) == ("failed", "PermanentFailure", 1)
    assert f"has no artefact {theirs}" in job.error


def etl(org: Org, source: str, *steps: dict[str, Any], timeout_seconds: int | None = None, **more: Any) -> Job:
    payload = {"source": {"artefact": source}, "steps": list(steps), "sink": {"artefact": "out.csv"}, **more}
    return make_job(org, type="etl", payload=payload, max_attempts=1, timeout_seconds=timeout_seconds)


def explosion(source: str, joins: int) -> list[dict[str, Any]]:
    """Each row with each row of the same key, and that again."""
    return [
        {"join": {"with": {"artefact": source}, "on": ["k"], "columns": ["n"], "prefix": f"p{number}"}}
        for number in range(joins)
    ]


ALIKE = b"k,n\n" + b"".join(b"1,%d\n" % number for number in range(5_000))


def test_a_join_that_explodes_ends_by_its_bound_on_disk_and_memory(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_ETL_SPILL_MAX_BYTES="100000000")
    source = sent(org, ALIKE)

    (job,) = ended(etl(org, source, *explosion(source, 1), {"sort": ["p0n", "n"]}))

    assert (job.status, job.error_type) == ("failed", "PermanentFailure"), job.error
    assert "more than the memory and disk" in job.error
    patiently(lambda: below(worker) == [])


def test_what_would_go_on_for_ever_ends_by_its_time_and_leaves_nothing(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_CHILD_KILL_GRACE_SECONDS="0.3")
    source = sent(org, ALIKE)

    (job,) = ended(etl(org, source, *explosion(source, 3), {"limit": 10**12}, {"dedupe": ["p0n"]}, timeout_seconds=4))

    assert (job.status, job.outcome) in {("failed", "timeout"), ("failed", "error")}
    assert job.runtime_ms < times(30_000, 7_000)
    patiently(lambda: below(worker) == [])
    assert folders(job) == []


def folders(job: Job) -> list[str]:
    return [str(path) for path in Path(settings.WORK_ROOT).glob(f"{job.pk}-*")]


def test_it_stops_within_two_seconds_when_it_is_cancelled(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    source = sent(org, ALIKE)
    waiting = etl(
        org, source, *explosion(source, 3), {"group": {"by": ["k"], "aggregates": {"s": {"count_distinct": "p1n"}}}}
    )
    patiently(lambda: Lease.objects.filter(job_id=waiting.pk, progress__gt=0.2).exists())
    assert len(below(worker)) == 2

    began = time.monotonic()
    Lease.objects.update(cancel_requested=True)
    (job,) = ended(waiting)
    took = time.monotonic() - began

    figure("etl cancelled, until its end is recorded", seconds=round(took, 2))
    assert (job.status, job.outcome) == ("cancelled", "cancelled")
    assert took < times(10, 2)
    patiently(lambda: below(worker) == [])
    assert folders(job) == []


def test_a_million_groups_and_a_hostile_file_name(fleet: Fleet, org: Org) -> None:
    fleet.workers(1)
    data = b"k,n\n" + b"".join(b"key-%d,%d\n" % (number, number % 7) for number in range(1_000_000))
    source = sent(org, data, name="../../etc/passwd .csv")

    (job,) = ended(etl(org, source, {"group": {"by": ["k"], "aggregates": {"n": {"count": "*"}}}}, timeout_seconds=300))

    assert (job.status, job.result and job.result["rows_written"]) == ("done", 1_000_000), job.error


def test_a_page_that_is_not_public_is_not_read(fleet: Fleet, org: Org) -> None:
    for url in (
        "http://127.0.0.1:8000/x.csv",
        "http://169.254.169.254/x.csv",
        "file:///etc/passwd",
        "http://[::1]/x.csv",
    ):
        with pytest.raises(InvalidPayload):
            make_job(org, type="etl", payload={"source": {"url": url}, "sink": {"artefact": "out.csv"}})


def test_names_of_files_are_ours() -> None:
    assert [file_name(number, "csv") for number in (0, 7)] == ["in-0.csv", "in-7.csv"]
