"""POST /jobs/bulk/: many jobs, an outcome each."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Job, Transition
from tests.conftest import World
from tests.factories import api

pytestmark = pytest.mark.django_db

BULK = "/api/v1/jobs/bulk/"


def add(**fields: Any) -> dict[str, Any]:
    return {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields}


def test_a_thousand_jobs_are_stored_in_the_order_sent(world: World) -> None:
    response = api(world.operator).post(BULK, {"jobs": [add(title=str(number)) for number in range(1000)]})

    body = response.json()
    assert response.status_code == 200
    assert (body["created"], body["existing"], body["refused"]) == (1000, 0, 0)
    stored = {str(job.pk): job.title for job in Job.objects.all()}
    assert [stored[item["id"]] for item in body["items"]] == [str(number) for number in range(1000)]
    assert Transition.objects.filter(to_status="queued").count() == 1000


def test_each_job_has_its_own_outcome(world: World) -> None:
    client = api(world.operator)
    client.post("/api/v1/jobs/", add(), headers={"Idempotency-Key": "known"})

    response = client.post(
        BULK,
        {
            "jobs": [
                add(),
                add(type="pyhton"),
                add(idempotency_key="known"),
                add(idempotency_key="known", urgency="low"),
                add(payload={"task": "demo.add", "kwargs": {"a": "x", "b": 1}}),
                add(name="", urgency="highest", surprise=1),
                "not a job",
                add(run_at="2026-01-01T00:00:00"),
                add(queue="late", delay_seconds=60),
            ]
        },
    )

    body = response.json()
    items = body["items"]
    assert response.status_code == 207
    assert (body["created"], body["existing"], body["refused"]) == (2, 1, 6)
    assert [item["status"] for item in items] == [
        *("created", "refused", "existing", "refused", "refused", "refused", "refused", "refused", "created")
    ]
    assert [item["index"] for item in items] == list(range(9))
    assert [(items[n]["code"], [e["pointer"] for e in items[n]["errors"]]) for n in (1, 3, 4, 5, 6, 7)] == [
        ("unknown_job_type", ["/jobs/1/type"]),
        ("idempotency_key_reused", []),
        ("invalid_payload", ["/jobs/4/payload/kwargs/a"]),
        ("validation", ["/jobs/5/name", "/jobs/5/urgency", "/jobs/5/surprise"]),
        ("validation", ["/jobs/6"]),
        ("validation", ["/jobs/7/run_at"]),
    ]
    assert Job.objects.count() == 3


def test_a_key_that_comes_twice_in_one_call_brings_one_job(world: World) -> None:
    same = add(idempotency_key="k")

    body = api(world.operator).post(BULK, {"jobs": [same, same, add(idempotency_key="k", urgency="low")]}).json()

    assert [item["status"] for item in body["items"]] == ["created", "existing", "refused"]
    assert body["items"][0]["id"] == body["items"][1]["id"]
    assert Job.objects.count() == 1


def test_a_repeated_call_stores_nothing_new(world: World) -> None:
    jobs = {"jobs": [add(idempotency_key=f"k{number}") for number in range(20)]}
    client = api(world.operator)
    first = client.post(BULK, jobs).json()

    again = client.post(BULK, jobs).json()

    assert (again["created"], again["existing"]) == (0, 20)
    assert [item["id"] for item in again["items"]] == [item["id"] for item in first["items"]]


def test_the_correlation_id_is_that_of_the_call(world: World) -> None:
    api(world.operator).post(BULK, {"jobs": [add(), add()]}, headers={"X-Correlation-ID": "batch-9"})

    assert list(Job.objects.values_list("correlation_id", flat=True)) == ["batch-9"] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/jobs"),
        ({"jobs": []}, "/jobs"),
        ({"jobs": {}}, "/jobs"),
        ({"jobs": [add()] * 1001}, "/jobs"),
        ({"jobs": [add()], "atomic": True}, "/atomic"),
        ([add()], ""),
    ],
)
def test_what_is_no_bulk_call_is_refused_whole(world: World, body: Any, pointer: str) -> None:
    response = api(world.operator).post(BULK, body)

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert not Job.objects.exists()


def test_an_operators_caps_hold_for_each_job(world: World, settings: Settings) -> None:
    settings.OPERATOR_MAX_ATTEMPTS_CAP = 2

    body = api(world.operator).post(BULK, {"jobs": [add(max_attempts=2), add(max_attempts=3)]}).json()

    assert [item["status"] for item in body["items"]] == ["created", "refused"]
    assert body["items"][1]["errors"][0]["pointer"] == "/jobs/1/max_attempts"
