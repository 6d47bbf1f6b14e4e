"""What jobs are about, over REST: shown, filtered by, corrected; and an organisation's categories."""

from typing import Any

import pytest

from jobs.models import Job, Label
from jobs.queue.classify import classify_some
from tests.conftest import World
from tests.factories import api, make_job
from tests.jobs.api.refusals import ADD, JOBS, assert_refused

pytestmark = pytest.mark.django_db

TITLE = "Database timeout: primary pool exhausted"
OWN = ["Billing", "Reports", "Servers"]


def submit(world: World, **fields: Any) -> dict[str, Any]:
    response = api(world.operator).post(JOBS, {**ADD, **fields})
    assert response.status_code == 201, response.json()
    return dict(response.json())


def test_a_submit_does_not_wait_for_it(world: World) -> None:
    job = submit(world, title=TITLE)

    assert (job["urgency"], job["category"], job["classification"]) == ("medium", "", None)


def test_a_job_shows_it_in_lists_too(world: World) -> None:
    job = submit(world, title=TITLE)
    classify_some()
    client = api(world.viewer)

    shown = client.get(job["status_url"]).json()

    assert (shown["category"], shown["urgency"]) == ("Database", "high")
    found = shown["classification"]
    assert (found["category"], found["urgency"], found["given"]) == ("Database", "high", [])
    assert 0 < found["confidence"] <= 1
    assert found["action"]
    assert client.get(JOBS).json()["items"][0]["classification"] == found
    for category, jobs in (("Database", 1), ("Network", 0)):
        assert len(client.get(JOBS, {"category": category}).json()["items"]) == jobs


def test_a_correction_answers_with_the_job(world: World) -> None:
    job = submit(world, title=TITLE)

    response = api(world.operator).post(f"{job['status_url']}classification/", {"category": "Network"})

    assert response.status_code == 200
    assert (response.json()["category"], response.json()["classification"]["source"]) == ("Network", "user")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"category": "Kitchen"}, "/category"),
        ({"category": ""}, "/category"),
        ({"category": None}, "/category"),
        ({"urgency": "HIGH"}, "/urgency"),
        ({"urgency": "high", "confidence": 1}, "/confidence"),
        ([], ""),
    ],
)
def test_a_correction_that_is_none_is_refused(world: World, body: Any, pointer: str) -> None:
    job = make_job(world.org, title=TITLE)

    problem = assert_refused(api(world.operator).post(f"{JOBS}{job.pk}/classification/", body))

    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert not Label.objects.exists()


@pytest.mark.parametrize("job_id", ["nonsense", "01900000-0000-7000-8000-000000000000"])
def test_an_unknown_job_is_not_found(world: World, job_id: str) -> None:
    assert_refused(api(world.operator).post(f"{JOBS}{job_id}/classification/", {"urgency": "high"}), 404)


def test_the_classifier_says_what_it_knows(world: World) -> None:
    for number in range(3):
        submit(world, title=f"{TITLE} {number % 2}")
    classify_some()
    job = Job.objects.order_by("pk").first()
    assert job is not None
    api(world.operator).post(f"{JOBS}{job.pk}/classification/", {"category": "Network"})

    found = api(world.viewer).get("/api/v1/classifier/").json()

    assert found["categories"] == ["Infrastructure", "Database", "Application", "Network"]
    assert (found["own_categories"], found["endpoint"], found["active"], found["versions"]) == (False, "", None, [])
    assert (found["corrections"], found["corrections_since"]) == (1, 1)
    assert (found["cache_hits"], found["cache_misses"]) == (1, 2)
    assert found["confused"] == [{"told": "Database", "corrected": "Network", "jobs": 1}]
    assert api(world.outsider).get("/api/v1/classifier/").json()["corrections"] == 0


def test_an_organisation_files_under_its_own_categories(world: World) -> None:
    client = api(world.owner)

    response = client.put("/api/v1/classifier/categories/", {"categories": OWN})

    assert (response.status_code, response.json()) == (200, {"categories": OWN})
    assert client.get("/api/v1/classifier/").json()["own_categories"]
    assert submit(world, category="Billing")["category"] == "Billing"
    problem = assert_refused(client.post(JOBS, {**ADD, "category": "Network"}))
    assert problem["errors"][0]["pointer"] == "/category"
    assert client.get(JOBS, {"category": "Billing"}).status_code == 200
    assert_refused(client.get(JOBS, {"category": "Network"}))
    export = {"type": "data-export", "payload": {"dataset": "jobs", "filter": {"category": "Billing"}}}
    assert client.post(JOBS, export).status_code == 201
    export["payload"]["filter"] = {"category": "Network"}  # type: ignore[index]
    assert_refused(client.post(JOBS, export))
    assert api(world.outsider).post(JOBS, {**ADD, "category": "Network"}).status_code == 201


@pytest.mark.parametrize("names", [["One"], ["a", ""], ["a", "A"], [1, 2], "ab", None, ["a"] * 101, ["a", "x" * 41]])
def test_categories_that_are_none_are_refused(world: World, names: Any) -> None:
    assert_refused(api(world.owner).put("/api/v1/classifier/categories/", {"categories": names}))


def test_the_scrape_counts_what_memory_answered(world: World) -> None:
    for _ in range(3):
        submit(world, title=TITLE)
    classify_some()

    text = api().get("/metrics").content.decode()

    assert "smartqueue_classification_cache_hits_total 2.0" in text
    assert "smartqueue_classification_cache_misses_total 1.0" in text
