"""GET /jobs/: what an item is, orders and pages."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries
from rest_framework.test import APIClient

from jobs.models import Job
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.states import Outcome
from orgs.models import Org
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_job

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"


def make_jobs(org: Org, count: int) -> None:
    payload = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}
    enqueue_many([NewJob("python", payload, title=f"{number}") for number in range(count)], org=org, user=None)


def ids(client: APIClient, **query: Any) -> list[str]:
    response = client.get(JOBS, query)
    assert response.status_code == 200, response.json()
    return [item["id"] for item in response.json()["items"]]


def every_page(client: APIClient, path: str = JOBS, **query: Any) -> Iterator[list[dict[str, Any]]]:
    body = client.get(path, query).json()
    yield body["items"]
    while body["next_cursor"]:
        body = client.get(path, {**query, "cursor": body["next_cursor"]}).json()
        yield body["items"]


# --- What an item is --------------------------------------------------------------------------------------------


def test_the_newest_job_comes_first_and_only_ones_own(world: World) -> None:
    older, newer = make_job(world.org), make_job(world.org)
    make_job(world.rival)

    assert ids(api(world.viewer)) == [str(newer.pk), str(older.pk)]


def test_an_item_leaves_out_what_is_heavy(world: World) -> None:
    make_dead_letter(world.org, description="d" * 1000)
    Job.objects.update(error="e" * 1000)

    (item,) = api(world.viewer).get(JOBS).json()["items"]

    assert not {"payload", "result", "description", "links"} & set(item)
    assert item["error"] == "e" * 300


def test_a_running_job_says_who_runs_it(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()

    (item,) = api(world.viewer).get(JOBS).json()["items"]

    assert (item["status"], item["attempt"], item["worker"]) == ("running", 1, "tester-1")
    assert item["started_at"]
    assert claimed.attempt == 1


def test_a_page_costs_the_same_queries_however_long_it_is(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_jobs(world.org, 60)
    claim_all(slots=20)
    client = api(world.viewer)

    # the person with his membership (not counted here), a savepoint and a time limit around the page itself
    for limit in (1, 60):
        with django_assert_num_queries(5):
            assert len(client.get(JOBS, {"limit": limit}).json()["items"]) == limit


def test_finished_jobs_are_shown_with_their_end(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    assert finish_one(claimed, Outcome.DONE, result={"sum": 3})

    (item,) = api(world.viewer).get(JOBS, {"status": "done"}).json()["items"]

    assert item["finished_at"] > item["started_at"] > item["created_at"]
    assert (item["outcome"], item["runtime_ms"] > 0) == ("done", True)


# --- Orders and pages -------------------------------------------------------------------------------------------


@pytest.fixture
def jobs_with_ties(world: World) -> list[Job]:
    """40 jobs with few different values, some without an end."""
    make_jobs(world.org, 40)
    moment = timezone.now()
    for number, job in enumerate(Job.objects.order_by("pk")):
        ended = number % 3 != 0
        Job.objects.filter(pk=job.pk).update(
            name=f"name{number % 4}",
            priority=0.1 + number % 3 / 10,
            predicted_ms=1.5 + number % 5,
            status="done" if ended else "queued",
            finished_at=moment + timedelta(microseconds=number % 2) if ended else None,
            runtime_ms=0.1 * (number % 4) if ended else None,
        )
    return list(Job.objects.order_by("pk"))


@pytest.mark.parametrize("word", ["created", "finished", "name", "priority", "predicted_ms", "runtime_ms"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_neither_skip_nor_repeat_in_any_order(
    world: World, jobs_with_ties: list[Job], sign: str, word: str
) -> None:
    pages = list(every_page(api(world.viewer), sort=sign + word, limit=7))

    field = {"created": "id", "finished": "finished_at"}.get(word, word)
    items = [item for page in pages for item in page]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5]
    assert sorted(item["id"] for item in items) == [str(job.pk) for job in jobs_with_ties]
    valued = [(item[field], item["id"]) for item in items if item[field] is not None]
    assert valued == sorted(valued, reverse=bool(sign))
    assert all(item[field] is None for item in items[len(valued) :])


def test_jobs_of_one_moment_are_paged_without_skip_or_repeat(world: World) -> None:
    make_jobs(world.org, 120)
    Job.objects.update(created_at=timezone.now())

    items = [item for page in every_page(api(world.viewer), limit=50) for item in page]

    assert [item["title"] for item in items] == [str(number) for number in reversed(range(120))]


def test_a_job_that_comes_in_between_shifts_no_page(world: World) -> None:
    make_jobs(world.org, 4)
    client = api(world.viewer)
    first = client.get(JOBS, {"limit": 2}).json()
    make_jobs(world.org, 1)

    second = client.get(JOBS, {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["title"] for item in first["items"] + second["items"]] == ["3", "2", "1", "0"]
    assert second["next_cursor"] is None


def test_the_next_page_is_linked_with_the_filters_it_was_asked_with(world: World) -> None:
    make_jobs(world.org, 3)
    client = api(world.viewer)

    response = client.get(JOBS, {"limit": 1, "status": "queued"})

    address, _, relation = response["Link"].partition("; ")
    query = parse_qs(urlsplit(address.strip("<>")).query)
    assert relation == 'rel="next"'
    assert query == {"limit": ["1"], "status": ["queued"], "cursor": [response.json()["next_cursor"]]}
    assert client.get(address.strip("<>")).json()["items"][0]["title"] == "1"
    assert "Link" not in client.get(JOBS)


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage",
        "=",
        "////",
        "bnVsbA",
        "W10",
        "WyItY3JlYXRlZCIsbnVsbCwieCJd",
        "\x00",
        "ключ",
        "W251bGwsbnVsbCxudWxsXQ",
        "A" * 3000,
    ],
)
def test_a_cursor_that_is_none_is_refused(world: World, cursor: str) -> None:
    response = api(world.viewer).get(JOBS, {"cursor": cursor})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/cursor"


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    make_jobs(world.org, 2)
    client = api(world.viewer)
    cursor = client.get(JOBS, {"limit": 1}).json()["next_cursor"]

    assert client.get(JOBS, {"sort": "name", "cursor": cursor}).status_code == 400


def test_another_organisations_cursor_brings_nothing_of_it(world: World) -> None:
    make_jobs(world.rival, 3)
    mine = make_job(world.org)
    make_jobs(world.rival, 2)
    cursor = api(world.outsider).get(JOBS, {"limit": 1}).json()["next_cursor"]

    assert ids(api(world.viewer), cursor=cursor) == [str(mine.pk)]


def test_a_list_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jobs(world.org, 2)
    monkeypatch.setattr("jobs.listing.LIST_SECONDS", 0.05)
    monkeypatch.setattr("jobs.api.views.narrowed", slow)

    response = api(world.viewer).get(JOBS)

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "too_slow"


def slow(jobs: Any, filters: Any) -> Any:
    return jobs.extra(where=["pg_sleep(0.5) IS NOT NULL"])
