"""Filters, orders and keyset pages of lists of jobs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs.listing import (
    SORTS,
    Filters,
    InvalidCursor,
    Sort,
    decoded,
    following,
    narrowed,
    ordering,
    page,
    parse_sort,
    parse_statuses,
)
from jobs.models import Job
from jobs.states import Outcome, Status
from tests.conftest import World
from tests.factories import PastRun, claim_all, finish_one, make_dead_letter, make_done, make_job, make_runs

pytestmark = pytest.mark.django_db


def found(world: World, **filters: Any) -> list[Job]:
    jobs = narrowed(Job.objects.for_org(world.org).with_state(), Filters(**filters))
    return page(jobs, size=100).jobs


@pytest.fixture
def mixed(world: World) -> dict[str, Job]:
    """One job in each status, each different in what lists filter by."""
    done = make_done(world.org, name="nightly-import", user=world.operator)
    failed = make_dead_letter(world.org, title="Export 50% of_rows", queue="reports")
    running = make_job(world.org, urgency="high", category="Database")
    claim_all()
    queued = make_job(world.org, type="shell", payload={"argv": ["/bin/echo"]}, description="Ask Ada first")
    scheduled = make_job(world.org, delay_seconds=600)
    make_job(world.rival, name="nightly-import")
    return {"done": done, "failed": failed, "running": running, "queued": queued, "scheduled": scheduled}


@pytest.mark.parametrize("status", ["done", "failed", "running", "queued", "scheduled"])
def test_a_status_finds_what_is_in_it(world: World, mixed: dict[str, Job], status: str) -> None:
    jobs = found(world, statuses=(Status(status),))

    assert [(job.pk, job.state) for job in jobs] == [(mixed[status].pk, status)]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "shell"}, {"queued"}),
        ({"queue": "reports"}, {"failed"}),
        ({"urgency": "high"}, {"running"}),
        ({"category": "Database"}, {"running"}),
        ({"creator": "OPERATOR"}, {"done"}),
        ({"error_type": "ValueError"}, {"failed"}),
        ({"name": "nightly-import"}, {"done"}),
        ({"text": "NIGHTLY"}, {"done"}),
        ({"text": "ask ada"}, {"queued"}),
        ({"text": "broken"}, {"failed"}),
        ({"text": "50%"}, {"failed"}),
        ({"text": "f_r"}, {"failed"}),
        ({"text": "5_%"}, set()),
        ({"statuses": (Status.DONE, Status.FAILED)}, {"done", "failed"}),
        ({"statuses": (Status.DONE,), "queue": "reports"}, set()),
    ],
)
def test_filters_find_only_what_fits(
    world: World, mixed: dict[str, Job], filters: dict[str, Any], expected: set[str]
) -> None:
    jobs = found(world, **filters)

    assert {job.pk for job in jobs} == {mixed[name].pk for name in expected}


def test_a_job_is_found_by_its_id_the_end_of_it_and_its_correlation_id(world: World, mixed: dict[str, Job]) -> None:
    job = mixed["done"]

    by = [found(world, text=text) for text in (str(job.pk), str(job.pk).upper(), job.short_id, job.correlation_id)]

    assert [[one.pk for one in jobs] for jobs in by] == [[job.pk]] * 4


def test_times_are_from_and_before(world: World) -> None:
    early, late = make_job(world.org), make_job(world.org)
    Job.objects.filter(pk=early.pk).update(created_at=timezone.now() - timedelta(hours=2))
    hour_ago = timezone.now() - timedelta(hours=1)

    assert [job.pk for job in found(world, created_after=hour_ago)] == [late.pk]
    assert [job.pk for job in found(world, created_before=hour_ago)] == [early.pk]


def make_equals(world: World) -> None:
    """Jobs of which several share each value that lists sort by, and some have none."""
    for number in range(7):
        make_job(world.org, name=f"job-{number % 3}", delay_seconds=600)
    for number in range(6):
        make_job(world.org, name=f"job-{number % 2}")
    for claimed in claim_all():
        finish_one(claimed, Outcome.ERROR, permanent=True)
    Job.objects.filter(status="failed").update(runtime_ms=12.5, finished_at=timezone.now())


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("word", SORTS)
def test_pages_neither_skip_nor_repeat_among_equals_and_nulls(world: World, word: str, descending: bool) -> None:
    make_equals(world)
    jobs, sort, cursor, seen = Job.objects.for_org(world.org), Sort(word, descending), "", []

    while True:
        one = page(jobs, size=2, sort=sort, cursor=cursor)
        seen += [job.pk for job in one.jobs]
        if one.next_cursor is None:
            break
        cursor = one.next_cursor

    assert seen == [job.pk for job in page(jobs, size=100, sort=sort).jobs]
    assert len(seen) == len(set(seen)) == (6 if word == "failed" else 13)


def test_a_page_does_not_shift_when_jobs_are_added(world: World) -> None:
    old = [make_job(world.org) for _ in range(4)]
    first = page(Job.objects.for_org(world.org), size=2)
    make_job(world.org)

    second = page(Job.objects.for_org(world.org), size=2, cursor=first.next_cursor or "")

    assert [job.pk for job in [*first.jobs, *second.jobs]] == [job.pk for job in reversed(old)]


@pytest.mark.parametrize("word", ["finished", "runtime"])
def test_jobs_without_the_value_come_last_either_way(world: World, word: str) -> None:
    waiting, done = make_job(world.org, delay_seconds=60), make_done(world.org)

    orders = [page(Job.objects.for_org(world.org), size=9, sort=Sort(word, down)).jobs for down in (True, False)]

    assert [[job.pk for job in jobs] for jobs in orders] == [[done.pk, waiting.pk]] * 2


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "W10",
        "bnVsbA",
        "WyItY3JlYXRlZCIsbnVsbCwibm8iXQ",
        "WyItcHJpb3JpdHkiLG51bGwsIjAxOTAwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJd",
        "é",
        "WyItY3JlYXRlZCIsbnVsbCwxXQ==" * 9,
    ],
)
def test_a_cursor_that_is_none_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        page(Job.objects.for_org(world.org), size=2, cursor=cursor)


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    make_job(world.org)
    make_job(world.org)
    cursor = page(Job.objects.for_org(world.org), size=1, sort=Sort("name", False)).next_cursor

    with pytest.raises(InvalidCursor):
        page(Job.objects.for_org(world.org), size=1, sort=Sort("name", True), cursor=str(cursor))


@pytest.mark.parametrize("text", ["password", "id", "org__owner__password", "-", "", "?", "-id;--", "--created"])
def test_only_known_columns_sort(text: str) -> None:
    with pytest.raises(ValueError, match="One of"):
        parse_sort(text)


def test_statuses_are_read_in_either_vocabulary() -> None:
    assert parse_statuses(["PENDING", "done", "COMPLETED"]) == (Status.SCHEDULED, Status.QUEUED, Status.DONE)
    with pytest.raises(ValueError, match="nonsense"):
        parse_statuses(["nonsense"])


@pytest.mark.parametrize(
    ("filters", "sort", "index"),
    [
        (Filters(), Sort(), "job_newest_idx"),
        (Filters(type="python", statuses=(Status.DONE,)), Sort(), "job_newest_idx"),
        (Filters(), Sort("failed"), "job_failed_idx"),
    ],
)
def test_a_page_is_read_from_an_index_without_sorting_all(
    world: World, filters: Filters, sort: Sort, index: str
) -> None:
    for org, runs in ((world.rival, 2_500), (world.org, 60), (world.rival, 2_500)):
        make_runs(org, [PastRun(5, failed=number % 5 == 0) for number in range(runs)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")

    first = page(narrowed(Job.objects.for_org(world.org), filters), size=10, sort=sort)
    jobs = Job.objects.for_org(world.org).with_state()
    rest = narrowed(jobs.dead_letters() if sort.word == "failed" else jobs, filters).filter(
        following(sort, *decoded(str(first.next_cursor), sort))
    )
    plan = rest.order_by(*ordering(sort))[:11].explain()

    assert index in plan
    assert "Seq Scan on jobs_job" not in plan
