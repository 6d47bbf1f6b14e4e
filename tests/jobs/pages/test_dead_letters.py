"""The page of dead letters, and sending back all that match."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job
from jobs.pages import dead_letters
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


def ask(world: World, query: str = "") -> tuple[Any, str, dict[str, str]]:
    """The client, the address and the hidden values of the question."""
    client = browser(world.operator)
    path = f"/dead-letters/replay/{query}"
    form = read(client.get(path)).one("form", css="stack")
    hidden = {one.attributes["name"]: one.attributes["value"] for one in form.all("input", type="hidden")}
    return client, form.attributes["action"], hidden


def test_all_that_match_are_counted_first_and_replayed_when_confirmed(world: World) -> None:
    matching = [make_dead_letter(world.org, queue="a") for _ in range(3)]
    others = [make_dead_letter(world.org, queue="b"), make_dead_letter(world.rival, queue="a")]

    question = read(browser(world.operator).get("/dead-letters/replay/?queue=a"))
    assert statuses(*matching) == ["failed"] * 3
    client, path, hidden = ask(world, "?queue=a")
    response = client.post(path, hidden)

    assert "This sends 3 dead letters of Acme back" in question.text
    assert response["Location"] == "/dead-letters/?queue=a"
    assert "3 replayed." in read(client.get(response["Location"])).one("ul", css="messages").text
    assert statuses(*matching, *others) == ["queued"] * 3 + ["failed"] * 2


def test_what_failed_after_the_question_is_left_alone(world: World) -> None:
    counted = make_dead_letter(world.org)
    client, path, hidden = ask(world)
    later = make_dead_letter(world.org)

    client.post(path, hidden)

    assert statuses(counted, later) == ["queued", "failed"]


@pytest.mark.parametrize(("typed", "status"), [("", "failed"), ("2", "failed"), ("3", "queued")])
def test_a_large_number_must_be_typed(world: World, monkeypatch: pytest.MonkeyPatch, typed: str, status: str) -> None:
    monkeypatch.setattr(dead_letters, "TYPE_COUNT_ABOVE", 2)
    jobs = [make_dead_letter(world.org) for _ in range(3)]
    client, path, hidden = ask(world)

    client.post(path, {**hidden, "count": typed})

    assert statuses(*jobs) == [status] * 3


def test_one_press_replays_a_bounded_number_and_says_that_there_are_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "REPLAY_MOST", 2)
    for _ in range(3):
        make_dead_letter(world.org)
    client, path, hidden = ask(world)

    text = read(client.get(path)).text
    client.post(path, hidden)

    assert "There are more; come back for the rest" in text
    assert Job.objects.filter(status="failed").count() == 1


@pytest.mark.parametrize("until", ["", "nonsense", "2026-01-01", "2026-13-01T00:00:00+00:00"])
def test_a_question_that_was_not_asked_is_refused(world: World, until: str) -> None:
    job = make_dead_letter(world.org)

    response = browser(world.operator).post("/dead-letters/replay/", {"until": until})

    assert response.status_code == 400
    assert statuses(job) == ["failed"]


def test_a_filter_that_is_none_replays_nothing(world: World) -> None:
    job = make_dead_letter(world.org)

    response = browser(world.operator).post("/dead-letters/replay/?within=forever", {"until": "2100-01-01T00:00:00Z"})

    assert response.status_code == 400
    assert statuses(job) == ["failed"]


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

    with django_assert_num_queries(11):
        client.get("/dead-letters/")
