"""Tags: words of the caller's own, from every way of submitting to every way of looking."""

from typing import Any

import pytest

from jobs.errors import InvalidJob
from jobs.models import Job
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from tests.conftest import World
from tests.factories import api, browser, make_job
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def test_they_are_kept_each_once_whether_alone_or_among_many(world: World) -> None:
    alone = make_job(world.org, tags=["eu", "v2", "eu"])
    both = enqueue_many([NewJob(**ADD, tags=["a"]), NewJob(**ADD)], org=world.org, user=None)

    assert alone.tags == ["eu", "v2"]
    assert [Job.objects.get(pk=one.job_id).tags for one in both] == [["a"], []]  # type: ignore[union-attr]


@pytest.mark.parametrize("tags", [["EU"], [""], ["a b"], ["x" * 41], [f"t{n}" for n in range(11)], ["a\n"], ["ä"]])
def test_what_is_no_tag_is_refused(world: World, tags: list[str]) -> None:
    with pytest.raises(InvalidJob):
        enqueue(NewJob(**ADD, tags=tags), org=world.org, user=None)
    assert api(world.operator).post("/api/v1/jobs/", {**ADD, "tags": tags}).status_code == 400


def test_over_the_api_they_are_taken_shown_and_filtered_by(world: World) -> None:
    client = api(world.operator)
    made = client.post("/api/v1/jobs/", {**ADD, "tags": ["eu", "v2"]}).json()
    bulk = client.post("/api/v1/jobs/bulk/", {"jobs": [{**ADD, "tags": ["eu"]}, ADD]})

    assert made["tags"] == ["eu", "v2"]
    assert bulk.status_code == 200
    assert [job["tags"] for job in client.get("/api/v1/jobs/?tag=eu").json()["items"]] == [["eu"], ["eu", "v2"]]
    assert client.get("/api/v1/jobs/?tag=EU").status_code == 400


def test_a_key_that_came_with_other_tags_is_another_request(world: World) -> None:
    client, headers = api(world.operator), {"Idempotency-Key": "k"}

    def post(**more: Any) -> int:
        return int(client.post("/api/v1/jobs/", {**ADD, **more}, headers=headers).status_code)

    assert [post(), post(), post(tags=[]), post(tags=["eu"])] == [201, 200, 200, 422]


def test_in_the_form_they_are_words_with_blanks_or_commas_between(world: World) -> None:
    client = browser(world.operator)
    page = read(client.get("/jobs/submit/?type=python&as=json"))
    once = page.one("input", name="once").attributes["value"]
    form = {
        "type": "python",
        "as": "json",
        "raw": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}',
        "queue": "default",
    }

    refused = client.post("/jobs/submit/", {**form, "once": once, "tags": "Eu"})
    stored = client.post("/jobs/submit/", {**form, "once": once, "tags": " eu, v2  x "})

    assert refused.status_code == 400
    assert stored.status_code == 302
    job = Job.objects.get()
    assert job.tags == ["eu", "v2", "x"]
    again = read(client.get(f"/jobs/submit/?from={job.pk}"))
    assert again.one("input", name="tags").attributes["value"] == "eu v2 x"
    assert "eu" in [one.text for one in read(client.get(f"/jobs/{job.pk}/")).all("a", css="tag")]
