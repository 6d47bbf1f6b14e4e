"""`after` and `after_end` of a submit, and what a job shows of them."""

from typing import Any
from uuid import UUID

import pytest

from jobs.models import Job
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.queue.graphs import release_all

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"


def add(**fields: Any) -> dict[str, Any]:
    return {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields}


def test_a_job_shows_what_it_waits_for(world: World) -> None:
    first, second = make_job(world.org), make_job(world.org)
    client = api(world.operator)

    response = client.post(JOBS, add(after=[str(first.pk)], after_end=[str(second.pk)]))

    body = response.json()
    assert response.status_code == 201
    assert (body["status"], body["waits_for"], body["run_at"]) == ("scheduled", 2, None)
    assert body["dependencies"] == [
        {"job_id": str(first.pk), "condition": "success", "status_url": f"{JOBS}{first.pk}/"},
        {"job_id": str(second.pk), "condition": "end", "status_url": f"{JOBS}{second.pk}/"},
    ]
    for claimed in claim_all():
        finish_one(claimed)
    release_all()
    later = client.get(body["status_url"]).json()
    assert (later["status"], later["waits_for"], later["dependencies"]) == ("queued", 0, [])


def test_a_job_after_a_done_one_is_queued(world: World) -> None:
    body = api(world.operator).post(JOBS, add(after=[str(make_done(world.org).pk)])).json()

    assert (body["status"], body["waits_for"]) == ("queued", 0)


@pytest.mark.django_db(transaction=True)
def test_a_job_after_a_failed_one_is_cancelled_at_once_and_the_history_says_why(world: World) -> None:
    dead = make_dead_letter(world.org)
    client = api(world.operator)

    body = client.post(JOBS, add(after=[str(dead.pk)])).json()

    assert body["status"] == "cancelled"
    moves = client.get(body["links"]["transitions"]).json()["items"]
    assert moves[-1]["reason"] == f"dependency failed: job {dead.pk}"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"after": ["x"]}, "/after/0"),
        ({"after": [str(UUID(int=5))]}, "/after/0"),
        ({"after_end": [str(UUID(int=5))]}, "/after_end/0"),
        ({"after": [str(UUID(int=5))], "delay_seconds": 3}, "/after"),
        ({"after": [str(UUID(int=number)) for number in range(1_001)]}, "/after"),
        ({"after": {}}, "/after"),
        ({"ref": "a"}, "/ref"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_by_its_place(world: World, fields: dict[str, Any], pointer: str) -> None:
    response = api(world.operator).post(JOBS, add(**fields))

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert not Job.objects.exists()


def test_another_organisations_job_is_as_unknown_as_none(world: World) -> None:
    foreign = make_job(world.rival)

    refused = api(world.operator).post(JOBS, add(after=[str(foreign.pk)]))
    unknown = api(world.operator).post(JOBS, add(after=[str(UUID(int=5))]))

    assert refused.json()["errors"] == unknown.json()["errors"]


def test_jobs_of_a_bulk_call_may_wait_for_each_other(world: World) -> None:
    known = make_job(world.org)

    response = api(world.operator).post(
        f"{JOBS}bulk/",
        {
            "jobs": [
                add(ref="extract"),
                add(ref="load", after=["extract", str(known.pk)]),
                add(after=["nothing"]),
                add(after_end=["load"]),
                add(after=["extract"], run_at="2027-01-01T00:00:00Z"),
            ]
        },
    )

    body = response.json()
    assert response.status_code == 207
    assert [item["status"] for item in body["items"]] == ["created", "created", "refused", "created", "refused"]
    assert body["items"][2]["errors"][0]["pointer"] == "/jobs/2/after/0"
    assert body["items"][4]["errors"][0]["pointer"] == "/jobs/4/after"
    waits = [Job.objects.get(pk=item["id"]).waiting_on for item in body["items"] if "id" in item]
    assert waits == [0, 2, 1]


def test_a_repeat_with_the_same_key_and_parents_is_the_same_job(world: World) -> None:
    parent = make_job(world.org)
    client = api(world.operator)
    first = client.post(JOBS, add(after=[str(parent.pk)]), headers={"Idempotency-Key": "k"})

    again = client.post(JOBS, add(after=[str(parent.pk)]), headers={"Idempotency-Key": "k"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["waits_for"] == 1
