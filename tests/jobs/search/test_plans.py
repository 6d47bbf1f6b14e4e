"""How each filter is answered among many jobs, behind the wall: by an index, reading little beside what is asked."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from bench.page_times import ATTEMPTS, JOBS
from jobs import listing
from jobs.listing import Filters, Finder, Sort, bounded, counted, narrowed, page
from jobs.models import Follower, Job, SearchEntry
from jobs.search import find
from jobs.search.index import index
from jobs.states import Status
from orgs import walls
from tests.conftest import World

pytestmark = pytest.mark.django_db

ROWS, WINDOW, COUNTED = 6_000, 100, 300
# A page and its count look at no more jobs than these, whatever is asked for.
MOST = WINDOW + 2 * COUNTED + 200
READ = """
    SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables
    WHERE relname IN ('jobs_job', 'jobs_searchentry', 'jobs_attempt', 'jobs_lease')
"""


@pytest.fixture
def many(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two organisations with as many jobs each, all with their words; windows as much smaller as the store is."""
    for module in (find, listing):
        monkeypatch.setattr(module, "COUNTED", COUNTED)
    monkeypatch.setattr(find, "WINDOW", WINDOW)
    people = [world.operator.pk, *[world.viewer.pk] * 19]
    with connection.cursor() as cursor:
        for org in (world.org, world.rival):
            cursor.execute(JOBS, {"org": org.pk, "people": people, "rows": ROWS, "days": 30, "first": 1, "last": ROWS})
        cursor.execute(ATTEMPTS)
        index(list(Job.objects.values_list("pk", flat=True)))
        Follower.objects.create(name="jobs", done_at=timezone.now())
        cursor.execute("ANALYZE")
    return Job.objects.filter(org=world.org)


def filters_of(jobs: Any) -> dict[str, Filters]:
    old = jobs.filter(status="failed").order_by("pk")[5]
    by_id = f"payload.user.id:{old.payload['user']['id']}"
    entry = SearchEntry.objects.get(job_id=old.pk)
    now = timezone.now()
    asked: list[dict[str, Any]] = [
        *({"statuses": (status,)} for status in (Status.FAILED, Status.CANCELLED, Status.QUEUED, Status.RUNNING)),
        *({"queue": "queue-6"}, {"queue": "none"}, {"type": "http"}, {"type": "none"}, {"name": old.name}),
        *({"category": "Network"}, {"category": "none"}, {"urgency": "high"}, {"urgency": "low"}),
        *({"tag": "customer-120"}, {"worker": "host-3"}, {"worker": "none"}, {"creator": "operator"}),
        *({"creator": "nobody"}, {"error_type": old.error_type}, {"fingerprint": entry.error_fingerprint}),
        *({"correlation_id": old.correlation_id}, {"replayed": True}, {"attempts_min": 2}, {"attempts_min": 3}),
        *({"runtime_min_ms": 1_870}, {"runtime_min_ms": 5_000}, {"text": "import 17"}, {"text": "nowhere"}),
        *({"text": old.short_id}, {"text": "payload.user.plan:gold"}, {"text": by_id}),
        *({"text": "result.count:>98"}, {"text": "payload.user.plan:silver"}, {"text": "payload.none:>1"}),
        {"finished_after": now - timedelta(days=7), "finished_before": now - timedelta(days=6, hours=20)},
        {"created_after": now - timedelta(days=7), "created_before": now - timedelta(days=6, hours=20)},
        {"queue": "queue-6", "type": "http", "tag": "customer-120", "statuses": (Status.DONE,)},
        {"queue": "queue-6", "type": "etl", "name": "task-7"},
    ]  # fmt: skip
    return {str(one): Filters(**one) for one in asked}


def read() -> dict[str, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return {name: (by_scan, by_index) for name, by_scan, by_index in cursor.fetchall()}


@pytest.mark.parametrize("sort", [Sort(), Sort(descending=False), Sort("failed")], ids=str)
def test_every_filter_is_answered_from_an_index_and_reads_what_it_needs(world: World, many: Any, sort: Sort) -> None:
    found = []
    for said, filters in filters_of(many).items():
        before = read()
        with walls.raised():
            walls.enter(world.org.pk)
            finder = Finder(world.org.pk, filters, counts=True)
            jobs = narrowed(Job.objects.for_org(world.org).with_state(), filters)
            with bounded():
                page(jobs, size=50, sort=sort, finder=finder)
                counted(jobs, finder.failed if sort.word == "failed" else finder)
        for table, (by_scan, by_index) in read().items():
            scanned, fetched = by_scan - before[table][0], by_index - before[table][1]
            if scanned and table != "jobs_lease":
                found.append(f"{said}: {scanned} rows of {table} by a sequential scan")
            # which numbers are greater no word says: all that have one there are looked at, up to what is counted
            if table == "jobs_job" and fetched > (ROWS if ":>" in said else MOST):
                found.append(f"{said}: {fetched} rows of {table}")

    assert not found, "\n".join(found)
