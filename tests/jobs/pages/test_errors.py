"""Errors that say the same, on their pages and over the API."""

from typing import Any

import pytest
from django.db.models import Max

from jobs.models import Attempt, ErrorGroup, Follower, Job
from jobs.queue.bulk_run import run_bulk
from jobs.search.index import count_errors, index
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import api, browser, claim_all, finish_one, make_job
from tests.jobs.pages.pages import job_ids, read

pytestmark = pytest.mark.django_db


def fail(world: World, error: str, **fields: Any) -> Job:
    job = make_job(world.org, **fields)
    (claimed,) = claim_all(job.queue)
    assert finish_one(claimed, Outcome.ERROR, error_type="LookupError", error=error, permanent=True)
    return job


@pytest.fixture
def jobs(world: World) -> list[Job]:
    """Two that failed alike, and one otherwise, counted and found."""
    failed = [fail(world, "no row 4"), fail(world, "no row 17"), fail(world, "no <b>column</b>", queue="other")]
    final = Attempt.objects.aggregate(last=Max("pk"))["last"]
    Follower.objects.create(name="errors", final_id=final)
    count_errors()
    index([job.pk for job in failed])
    return failed


def test_the_list_has_what_says_the_same_once(world: World, jobs: list[Job]) -> None:
    page = read(browser(world.viewer).get("/errors/"))

    rows = [row.text for row in page.all("tr") if row.attributes.get("id", "").startswith("error-")]
    assert len(rows) == 2
    assert "no <b>column</b>" in rows[0]
    assert "no row 17" in rows[1]
    assert " 2 " in f" {rows[1]} "


def test_it_is_narrowed_and_sorted(world: World, jobs: list[Job]) -> None:
    client = browser(world.viewer)

    def texts(query: str) -> list[str]:
        found = read(client.get(f"/errors/?{query}")).all("span", css="error")
        return [one.text for one in found]

    assert texts("queue=other") == ["no <b>column</b>"]
    assert texts("queue=default&type=python&within=1h") == ["no row 17"]
    assert texts("type=http") == []
    assert texts("sort=count") == ["no row 17", "no <b>column</b>"]
    first = read(client.get("/errors/?limit=25"))
    assert first.all("a", rel="next") == []
    assert "no cursor" in read(client.get("/errors/?cursor=nonsense")).one("p", role="alert").text


def test_the_page_of_one_leads_to_its_jobs_and_sends_them_back(world: World, jobs: list[Job]) -> None:
    mark = ErrorGroup.objects.get(attempts=2).fingerprint
    client = browser(world.operator)

    page = read(client.get(f"/errors/{mark}/"))
    assert page.one("svg", css="bars").attributes["aria-label"] == "2 in 30 days"
    assert "LookupError" in page.one("h1").text
    links = {link.attributes["href"] for link in page.all("a")}
    replay = f"/bulk-operations/new/?of=dead-letters&kind=replay&fingerprint={mark}"
    assert replay in links
    listed = read(client.get(f"/jobs/?fingerprint={mark}"))
    assert job_ids(listed) == [str(job.pk) for job in (jobs[1], jobs[0])]
    assert "2 match" in listed.by_id("match-count").text
    until = read(client.get(replay)).one("input", name="until").attributes["value"]
    client.post(replay, {"until": until})
    while run_bulk():
        pass

    assert sorted(Job.objects.filter(status="queued").values_list("pk", flat=True)) == [job.pk for job in jobs[:2]]


def test_a_viewer_is_told_who_can_replay(world: World, jobs: list[Job]) -> None:
    mark = ErrorGroup.objects.get(attempts=2).fingerprint

    page = read(browser(world.viewer).get(f"/errors/{mark}/"))

    assert page.one("button", aria_describedby="why-not").text == "Replay these …"
    assert "viewer" in page.by_id("why-not").text


def test_nobody_elses_are_there(world: World, jobs: list[Job]) -> None:
    mark = ErrorGroup.objects.get(attempts=2).fingerprint
    client = browser(world.outsider)

    assert "no row" not in client.get("/errors/").content.decode()
    assert client.get(f"/errors/{mark}/").status_code == 404
    assert api(world.outsider).get(f"/api/v1/errors/{mark}/").status_code == 404


def test_the_list_answers_204_until_more_are_counted(world: World, jobs: list[Job]) -> None:
    client = browser(world.viewer)
    version = read(client.get("/errors/")).by_id("errors").attributes["data-version"]

    assert client.get("/errors/", {"v": version}, headers={"HX-Request": "true"}).status_code == 204


def test_over_the_api(world: World, jobs: list[Job]) -> None:
    client = api(world.viewer)

    listed = client.get("/api/v1/errors/?sort=count").json()

    first, second = listed["items"]
    assert (first["attempts"], first["pattern"], first["sample"]) == (2, "no row *", "no row 17")
    assert first["last_job_id"] == str(jobs[1].pk)
    assert sum(bucket["attempts"] for bucket in first["trend"]) == 2
    assert first["kinds"] == [{"queue": "default", "type": "python", "name": "demo.add", "attempts": 2}]
    one = client.get(f"/api/v1/errors/{first['fingerprint']}/").json()
    assert len(one["trend"]) == 30
    found = client.get(f"/api/v1/jobs/?fingerprint={first['fingerprint']}").json()
    assert [job["id"] for job in found["items"]] == [str(jobs[1].pk), str(jobs[0].pk)]
    assert client.get("/api/v1/errors/?queue=other").json()["items"] == [second]
    page = client.get("/api/v1/errors/?limit=1").json()
    assert client.get(f"/api/v1/errors/?limit=1&cursor={page['next_cursor']}").json()["items"][0] != page["items"][0]
    assert client.get("/api/v1/errors/nonsense/").status_code == 404
