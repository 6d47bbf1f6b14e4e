"""The list of jobs."""

import re

import pytest
from pytest_django import DjangoAssertNumQueries

from jobs import listing
from jobs.models import Job
from jobs.queue.lease import report
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import browser, claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import Element, job_ids, read

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def region_of(page: Element) -> Element:
    return page.by_id("jobs")


def test_a_row_says_what_a_person_looks_for(world: World) -> None:
    job = make_job(world.org, user=world.operator, title="Import orders", queue="reports", urgency="high")
    (claimed,) = claim_all("reports")
    finish_one(claimed, Outcome.ERROR, error_type="ValueError", error="no such file\nmore of it", permanent=True)

    page = read(browser(world.viewer).get("/jobs/"))

    row = page.by_id(f"job-{job.pk}").text
    for part in ("failed", "python", "Import orders", "demo.add", "reports", "↑ high", "1/4", "operator"):
        assert part in row
    assert "ValueError: no such file" in row
    assert "more of it" not in row


def test_the_last_line_of_a_traceback_is_the_one_shown(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    error = "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'total'\n"
    finish_one(claimed, Outcome.ERROR, error_type="KeyError", error=error, permanent=True)

    page = read(browser(world.viewer).get("/jobs/"))

    assert page.one("span", css="error").text == "KeyError: 'total'"


def test_a_running_job_shows_its_progress(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    report(lines=[], progress=[{"token": str(claimed.token), "progress": 0.42, "progress_message": ""}])

    page = read(browser(world.viewer).get("/jobs/"))

    row = page.by_id(f"job-{job.pk}")
    assert "running 42 %" in row.text
    assert row.all("time", data_since="")


def test_chips_count_each_status_and_keep_the_other_filters(world: World) -> None:
    make_done(world.org)
    make_dead_letter(world.org, queue="reports")
    make_job(world.org, queue="reports")

    page = read(browser(world.viewer).get("/jobs/?queue=reports"))

    assert page.by_id("chip-all").text == "all 2"
    assert page.by_id("chip-failed").text == "failed 1"
    assert page.by_id("chip-done").text == "done 0"
    assert page.by_id("chip-failed").attributes["href"] == "/jobs/?queue=reports&status=failed"


def test_chips_show_no_count_that_the_filters_would_belie(world: World) -> None:
    make_done(world.org)

    page = read(browser(world.viewer).get("/jobs/?q=nothing+like+it"))

    assert page.by_id("chip-done").text == "done"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=failed", {"dead"}),
        ("status=failed&status=done", {"dead", "done"}),
        ("status=failed,done", {"dead", "done"}),
        ("status=PROCESSING", set()),
        ("queue=reports", {"dead"}),
        ("type=python&q=orders", {"dead"}),
        ("urgency=low", {"done"}),
        ("category=Network", {"done"}),
        ("creator=operator", {"dead"}),
        ("within=1h", {"dead", "done"}),
        ("created_after=2200-01-01T00:00", set()),
        ("created_before=2020-01-01T00:00:00", set()),
        ("error_type=ValueError&within=24h&status=failed&queue=reports&creator=operator", {"dead"}),
    ],
)
def test_filters_in_the_address_narrow_the_list(world: World, query: str, expected: set[str]) -> None:
    dead = make_dead_letter(world.org, user=world.operator, title="orders", queue="reports")
    done = make_done(world.org, urgency="low", category="Network")
    known = {"dead": str(dead.pk), "done": str(done.pk)}

    page = read(browser(world.viewer).get(f"/jobs/?{query}"))

    assert set(job_ids(page)) == {known[name] for name in expected}


@pytest.mark.parametrize(
    "query",
    [
        "status=nonsense",
        "sort=password",
        "sort=org__name",
        "limit=1000000000",
        "limit=-1",
        "cursor=nonsense",
        "created_after=yesterday",
        "urgency=urgent",
        "within=forever",
        "q=%00",
        "q=" + "x" * 300,
        "status=" + "done," * 90,
    ],
)
def test_a_filter_that_is_none_is_told_and_shows_nothing(world: World, query: str) -> None:
    make_job(world.org)

    response = browser(world.viewer).get(f"/jobs/?{query}")

    assert response.status_code == 200
    page = read(response)
    assert job_ids(page) == []
    assert page.all("p", role="alert")


def test_another_organisations_jobs_are_not_there(world: World) -> None:
    make_job(world.org, name="secret-name")

    response = browser(world.outsider).get("/jobs/?q=secret")

    assert "secret-name" not in response.content.decode()


def test_a_heading_sorts_and_then_turns_the_order(world: World) -> None:
    slow, fast = make_job(world.org), make_job(world.org)
    Job.objects.filter(pk=slow.pk).update(predicted_ms=9000)
    client = browser(world.viewer)

    page = read(client.get("/jobs/?queue=default"))
    first = page.by_id("sort-predicted").attributes["href"]
    down = read(client.get(first))
    second = down.by_id("sort-predicted").attributes["href"]
    up = read(client.get(second))

    assert (first, second) == ("/jobs/?queue=default&sort=-predicted", "/jobs/?queue=default&sort=predicted")
    assert job_ids(down) == [str(slow.pk), str(fast.pk)]
    assert job_ids(up) == [str(fast.pk), str(slow.pk)]
    assert [one.attributes["aria-sort"] for one in up.all("th") if "aria-sort" in one.attributes] == ["ascending"]


def test_links_lead_through_all_pages(world: World) -> None:
    jobs = [make_job(world.org) for _ in range(60)]
    client, path, seen = browser(world.viewer), "/jobs/?limit=25&queue=default", []

    for _ in range(3):
        page = read(client.get(path))
        seen += job_ids(page)
        path = next((link.attributes["href"] for link in page.all("a", rel="next")), "")

    assert path == ""
    assert seen == [str(job.pk) for job in reversed(jobs)]
    assert "Back to the first" in [link.text for link in page.all("a", href="/jobs/?queue=default&limit=25")]


def test_an_unchanged_list_answers_204(world: World) -> None:
    make_job(world.org)
    client = browser(world.viewer)
    version = region_of(read(client.get("/jobs/"))).attributes["data-version"]

    response = client.get("/jobs/", {"v": version}, headers=HTMX)

    assert (response.status_code, response.content, response["Cache-Control"]) == (204, b"", "no-store")


def progress(world: World) -> None:
    (lease,) = claim_all()
    report(lines=[], progress=[{"token": str(lease.token), "progress": 0.5, "progress_message": ""}])


@pytest.mark.parametrize("change", [lambda world: make_job(world.org), lambda world: claim_all(), progress])
def test_a_list_that_changed_answers_its_region(world: World, change: object) -> None:
    make_job(world.org)
    client = browser(world.viewer)
    version = region_of(read(client.get("/jobs/"))).attributes["data-version"]
    assert callable(change)
    change(world)

    response = client.get("/jobs/", {"v": version}, headers=HTMX)

    fragment = read(response)
    assert [one.tag for one in fragment.children if isinstance(one, Element)] == ["section"]
    assert region_of(fragment).attributes["data-version"] != version
    assert "HX-Push-Url" not in response


def test_jobs_of_others_do_not_change_the_version(world: World) -> None:
    client = browser(world.viewer)
    version = region_of(read(client.get("/jobs/"))).attributes["data-version"]
    make_job(world.rival)

    response = client.get("/jobs/", {"v": version}, headers=HTMX)

    assert response.status_code == 204


def test_a_region_asks_again_for_the_list_it_shows(world: World) -> None:
    page = read(browser(world.viewer).get("/jobs/?status=done&q=a%26b&limit=25&sort=name&urgency="))

    assert region_of(page).attributes["hx-get"] == "/jobs/?q=a%26b&sort=name&limit=25&status=done"


def test_filtering_with_a_script_gives_the_region_and_moves_the_address(world: World) -> None:
    make_job(world.org)

    response = browser(world.viewer).get("/jobs/?q=&type=python&queue=", headers=HTMX)

    assert "<html" not in response.content.decode()
    assert response["HX-Push-Url"] == "/jobs/?type=python"
    assert "HX-Request" in response["Vary"]


def test_going_back_gives_the_whole_page(world: World) -> None:
    response = browser(world.viewer).get("/jobs/", headers={**HTMX, "HX-History-Restore-Request": "true"})

    assert "<html" in response.content.decode()


def test_a_viewer_has_nothing_to_tick_or_press(world: World) -> None:
    make_job(world.org)

    page = read(browser(world.viewer).get("/jobs/"))

    assert page.all("input", name="job") == []
    assert not re.search("Cancel selected|Replay selected", page.text)


def test_an_empty_list_teaches_the_first_step(world: World) -> None:
    page = read(browser(world.operator).get("/jobs/"))

    assert "No job yet" in page.text
    assert "curl -X POST http://testserver/api/v1/jobs/" in page.one("pre").raw
    assert page.all("a", href="/jobs/submit/")


def test_a_list_that_takes_too_long_says_how_to_narrow_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(**_: object) -> None:
        with listing.bounded():
            listing.sql.run("limit_time", milliseconds=1)
            list(Job.objects.raw("SELECT jobs_job.* FROM pg_sleep(5) LEFT JOIN jobs_job ON true"))

    monkeypatch.setattr("jobs.pages.lists.page", lambda *_, **__: slow())

    page = read(browser(world.viewer).get("/jobs/"))

    assert "narrow the filter" in page.one("p", role="alert").text


@pytest.mark.parametrize("rows", [3, 40])
def test_a_page_costs_the_same_queries_however_many_rows(
    world: World, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for _ in range(rows):
        make_job(world.org, user=world.operator)
    client = browser(world.viewer)

    with django_assert_num_queries(11):
        client.get("/jobs/")
