"""/batches/: jobs that belong together."""

from typing import Any

import pytest

from jobs.models import Batch, Ending, Job
from jobs.queue.callbacks import sweep
from jobs.queue.finish import Ended, finish
from jobs.states import Outcome
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, claim_all, make_job

pytestmark = pytest.mark.django_db

BATCHES = "/api/v1/batches/"


def add(**fields: Any) -> dict[str, Any]:
    return {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields}


def make_batch(world: World, *jobs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = api(world.operator).post(BATCHES, {"jobs": list(jobs), **fields})
    assert response.status_code == 201, response.content
    return dict(response.json())


def test_a_batch_is_stored_with_its_jobs(world: World) -> None:
    jobs = [add(ref="a", title="one"), add(after=["a"]), add(after_end=["a"])]
    callback = {"when": "success", "job": add(name="report")}

    response = api(world.operator).post(
        BATCHES, {"name": "nightly", "jobs": jobs, "callback": callback}, headers={"X-Correlation-ID": "c-7"}
    )

    body = response.json()
    assert response.status_code == 201
    assert response["Location"] == body["status_url"] == f"{BATCHES}{body['id']}/"
    assert (body["name"], body["total"], body["pending"], body["done"]) == ("nightly", 3, 3, 0)
    assert body["callback"] == {"when": "success", "job": add(name="report"), "job_id": None, "refused": ""}
    assert (body["created_by"], body["correlation_id"]) == ("operator", "c-7")
    assert Job.objects.get(pk=body["job_ids"][0]).title == "one"
    listed = api(world.viewer).get(body["jobs_url"]).json()["items"]
    assert {job["id"]: (job["status"], job["waits_for"], job["batch_id"]) for job in listed} == {
        body["job_ids"][0]: ("queued", 0, body["id"]),
        body["job_ids"][1]: ("scheduled", 1, body["id"]),
        body["job_ids"][2]: ("scheduled", 1, body["id"]),
    }


def test_the_counts_are_exact_before_and_after_the_ends_are_counted(world: World) -> None:
    made = make_batch(world, *[add()] * 4, callback={"job": add(name="report")})
    first, second, third, fourth = claim_all()
    bad = {"error_type": "ValueError", "permanent": True}
    ends = [Ended(first, Outcome.DONE), Ended(second, Outcome.ERROR, **bad), Ended(third, Outcome.CANCELLED)]
    finish(ends, worker_name="tester-1")
    assert Ending.objects.count() == 3

    before = api(world.viewer).get(made["status_url"]).json()
    finish([Ended(fourth, Outcome.DONE)], worker_name="tester-1")
    while sweep():
        pass
    after = api(world.viewer).get(made["status_url"]).json()

    numbers = ("total", "pending", "done", "failed", "cancelled")
    assert [before[name] for name in numbers] == [4, 1, 1, 1, 1]
    assert [after[name] for name in numbers] == [4, 0, 2, 1, 1]
    assert before["finished_at"] is None
    assert after["finished_at"]
    job = api(world.viewer).get(f"/api/v1/jobs/{after['callback']['job_id']}/").json()
    assert job["name"] == "report"


def test_the_batches_of_an_organisation_are_listed_by_pages(world: World) -> None:
    made = [make_batch(world, add(), name=str(number))["id"] for number in range(3)]
    api(world.outsider).post(BATCHES, {"jobs": [add()]})
    client = api(world.viewer)

    first = client.get(BATCHES, {"limit": 2}).json()
    second = client.get(BATCHES, {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


def test_a_list_of_batches_takes_one_query(world: World, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        make_batch(world, add())
    client = api(world.viewer)
    with django_assert_max_num_queries(20) as one:
        client.get(BATCHES, {"limit": 1})

    with django_assert_max_num_queries(len(one)):
        assert len(client.get(BATCHES).json()["items"]) == 3


def test_one_bad_job_refuses_all_and_says_where(world: World) -> None:
    foreign = make_job(world.rival)

    response = api(world.operator).post(
        BATCHES,
        {
            "jobs": [add(), add(type="pyhton"), add(payload={"task": "demo.add", "kwargs": {"a": "x", "b": 1}})],
            "callback": {"job": add(type="none")},
        },
    )
    unknown = api(world.operator).post(BATCHES, {"jobs": [add(), add(after=["x", str(foreign.pk)])]})

    assert response.status_code == unknown.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [
        "/jobs/1/type",
        "/jobs/2/payload/kwargs/a",
        "/callback/job/type",
    ]
    assert [error["pointer"] for error in unknown.json()["errors"]] == ["/jobs/1/after/0", "/jobs/1/after/1"]
    assert not Batch.objects.exists()
    assert not Job.objects.for_org(world.org).exists()


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/jobs"]),
        ({"jobs": []}, ["/jobs"]),
        ({"jobs": [add()] * 1001}, ["/jobs"]),
        ({"jobs": [add(), add(urgency="odd", surprise=1)]}, ["/jobs/1/urgency", "/jobs/1/surprise"]),
        ({"jobs": [add(idempotency_key="k")]}, ["/jobs/0/idempotency_key"]),
        ({"jobs": [add()], "callback": {}}, ["/callback/job"]),
        ({"jobs": [add()], "callback": {"job": add(), "when": "never"}}, ["/callback/when"]),
        ({"jobs": [add()], "callback": {"job": add(after=[])}}, ["/callback/job/after"]),
        ({"jobs": [add(after="x")]}, ["/jobs/0/after"]),
        ({"jobs": [add(after=[1])]}, ["/jobs/0/after"]),
        ({"jobs": ["x"]}, ["/jobs/0"]),
        ({"jobs": [add()], "name": "x" * 65}, ["/name"]),
        ({"jobs": [add()], "name": 5}, ["/name"]),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_by_its_place(world: World, body: Any, pointers: list[str]) -> None:
    response = api(world.operator).post(BATCHES, body)

    assert response.status_code == 400, response.content
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert not Batch.objects.exists()


# --- Idempotency ------------------------------------------------------------------------------------------------


def submit(client: Any, key: str, **fields: Any) -> Any:
    body = {"jobs": [add(title=str(number)) for number in range(3)], "callback": {"job": add()}, **fields}
    return client.post(BATCHES, body, headers={"Idempotency-Key": key})


def test_a_repeat_with_the_same_key_brings_the_same_batch(world: World) -> None:
    client = api(world.operator)
    first = submit(client, "nightly-17")
    claim_all(slots=1)

    again = submit(client, '"nightly-17"')

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert (again["Idempotent-Replayed"], again["Location"]) == ("true", first["Location"])
    assert "Idempotent-Replayed" not in first
    assert (Batch.objects.count(), Job.objects.count()) == (1, 3)
    assert AuditEntry.objects.filter(action="job.submit").count() == 1


def test_a_key_with_another_body_is_refused(world: World) -> None:
    client = api(world.operator)
    submit(client, "k")

    response = submit(client, "k", name="other")

    assert response.status_code == 422
    assert response.json()["type"] == "urn:smartqueue:problem:idempotency_key_reused"
    assert Batch.objects.count() == 1


def test_a_key_belongs_to_its_organisation(world: World) -> None:
    submit(api(world.operator), "k")

    assert submit(api(world.outsider), "k").status_code == 201


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    response = submit(api(world.operator), key)

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == ["/idempotency_key"]
    assert not Batch.objects.exists()


# --- One batch --------------------------------------------------------------------------------------------------


def test_a_cancellation_says_what_became_of_the_jobs(world: World) -> None:
    made = make_batch(world, *[add()] * 3)
    claim_all(slots=1)

    response = api(world.operator).post(f"{made['status_url']}cancellation/", {"reason": "wrong file"})

    assert (response.status_code, response.json()) == (200, {"cancelled": 2, "cancelling": 1})
    body = api(world.operator).get(made["status_url"]).json()
    assert (body["pending"], body["cancelled"]) == (1, 2)


@pytest.mark.parametrize("batch_id", ["x", "018f4a5c-7d1e-7cc3-98c4-dc0c0c07398f", "018F4A5C7D1E7CC398C4DC0C0C07398F"])
def test_an_unknown_batch_is_not_there(world: World, batch_id: str) -> None:
    assert api(world.operator).get(f"{BATCHES}{batch_id}/").status_code == 404
    assert api(world.operator).post(f"{BATCHES}{batch_id}/cancellation/", {}).status_code == 404


def test_a_batch_is_audited_with_who_and_from_where(world: World) -> None:
    made = make_batch(world, add(), add())

    entry = AuditEntry.objects.get(action="job.submit")

    assert (entry.org, entry.actor, entry.address, entry.target) == (world.org, world.operator, "127.0.0.1", "2 jobs")
    assert set(entry.detail["jobs"]) == set(made["job_ids"])
