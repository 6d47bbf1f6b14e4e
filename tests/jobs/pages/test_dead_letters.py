"""The page of dead letters, and sending back all that match."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job
from tests.conftest import World
from tests.factories import browser, make_dead_letter, make_done
from tests.jobs.pages.pages import job_ids, read

pytestmark = pytest.mark.django_db


def statuses(*jobs: Job) -> list[str]:
    return [Job.objects.get(pk=job.pk).status for job in jobs]


def test_each_dead_letter_shows_its_reason_attempts_and_times(world: World) -> None:
    job = make_dead_letter(world.org, title="Import orders", queue="imports", user=world.operator, max_attempts=3)
    make_done(world.org)

    page = read(browser(world.viewer).get("/dead-letters/"))

    assert job_ids(page) == [str(job.pk)]
    row = page.by_id(f"job-{job.pk}").text
    for part in ("Import orders", "ValueError: broken", "permanent failure", "imports", "1/3", "operator"):
        assert part in row


def test_the_latest_failure_is_first(world: World) -> None:
    first, second = make_dead_letter(world.org), make_dead_letter(world.org)
    Job.objects.filter(pk=second.pk).update(finished_at=timezone.now() - timedelta(hours=1))

    page = read(browser(world.viewer).get("/dead-letters/"))

    assert job_ids(page) == [str(first.pk), str(second.pk)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("queue=imports", 1),
        ("type=http", 0),
        ("error_type=ValueError", 2),
        ("error_type=KeyError", 0),
        ("q=orders", 1),
        ("within=15m", 1),
        ("failed_before=2100-01-01T00:00", 2),
        ("failed_after=2100-01-01T00:00", 0),
    ],
)
def test_filters_narrow_the_list(world: World, query: str, found: int) -> None:
    make_dead_letter(world.org, queue="imports", title="orders")
    old = make_dead_letter(world.org)
    Job.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(hours=1))

    page = read(browser(world.viewer).get(f"/dead-letters/?{query}"))

    assert len(job_ids(page)) == found


def test_pages_go_on_by_the_time_of_failure(world: World) -> None:
    jobs = [make_dead_letter(world.org) for _ in range(30)]
    client = browser(world.viewer)

    first = read(client.get("/dead-letters/?limit=25"))
    second = read(client.get(first.one("a", rel="next").attributes["href"]))

    assert job_ids(first) + job_ids(second) == [str(job.pk) for job in reversed(jobs)]


def test_ticked_ones_are_replayed_and_the_filter_kept(world: World) -> None:
    chosen, other = make_dead_letter(world.org, queue="a"), make_dead_letter(world.org, queue="a")
    client = browser(world.operator)
    form = read(client.get("/dead-letters/?queue=a")).one("form", action="/jobs/replays/")

    response = client.post(
        "/jobs/replays/", {"job": chosen.pk, "next": form.one("input", name="next").attributes["value"]}
    )

    assert response["Location"] == "/dead-letters/?queue=a"
    assert statuses(chosen, other) == ["queued", "failed"]


def test_the_older_address_of_replaying_all_leads_to_the_bulk_operation(world: World) -> None:
    response = browser(world.operator).get("/dead-letters/replay/?queue=a")
    assert response["Location"] == "/bulk-operations/new/?queue=a&of=dead-letters&kind=replay"


def test_an_unchanged_page_answers_204(world: World) -> None:
    client = browser(world.viewer)
    version = read(client.get("/dead-letters/")).by_id("dead").attributes["data-version"]

    response = client.get("/dead-letters/", {"v": version}, headers={"HX-Request": "true"})

    assert response.status_code == 204


def test_an_empty_page_says_how_to_see_one(world: World) -> None:
    assert "demo.fail_always" in read(browser(world.operator).get("/dead-letters/")).text


@pytest.mark.parametrize("rows", [2, 20])
def test_a_page_costs_the_same_queries_however_many_rows(
    world: World, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for _ in range(rows):
        make_dead_letter(world.org, user=world.operator)
    client = browser(world.viewer)

    with django_assert_num_queries(10):
        client.get("/dead-letters/")
