"""POST /jobs/: accept, repeat, refuse."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.models import Job, Ready
from tests.conftest import World
from tests.factories import api

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def test_a_submit_is_stored_and_says_where(world: World) -> None:
    response = api(world.operator).post(JOBS, ADD)

    body = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{JOBS}{body['id']}/" == body["status_url"]
    job = Job.objects.get(pk=body["id"])
    assert (job.org, job.created_by, job.payload) == (world.org, world.operator, ADD["payload"])
    assert Ready.objects.filter(job_id=job.pk).exists()


def test_a_submit_shows_the_whole_job(world: World) -> None:
    asked = {
        **ADD,
        "name": "sum",
        "queue": "sums",
        "title": "Add up",
        "description": "Both numbers",
        "urgency": "high",
        "category": "Application",
        "timeout_seconds": 5,
        "max_attempts": 2,
    }

    body = api(world.operator).post(JOBS, asked).json()

    assert {name: body[name] for name in asked} == asked
    assert (body["status"], body["attempt"], body["life"], body["outcome"]) == ("queued", 0, 1, "")
    assert (body["created_by"], body["result"], body["worker"], body["progress"]) == ("operator", None, None, None)
    assert (body["prediction_source"], body["predicted_ms"], body["priority"]) == (
        "default",
        2000.0,
        pytest.approx(0.6),
    )
    assert body["links"]["attempts"] == f"{JOBS}{body['id']}/attempts/"
    acts = {"cancellation", "replay", "classification"}
    assert set(body["links"]) == {"attempts", "transitions", "logs", "artefacts", *acts}


def test_times_are_utc_with_microseconds(world: World) -> None:
    body = api(world.operator).post(JOBS, {**ADD, "delay_seconds": 60}).json()

    for name in ("created_at", "run_at"):
        assert len(body[name]) == len("2026-01-01T00:00:00.000000Z")
        assert body[name].endswith("Z")
    assert (body["queued_at"], body["finished_at"]) == (None, None)


def test_a_delay_schedules_the_job(world: World) -> None:
    body = api(world.operator).post(JOBS, {**ADD, "delay_seconds": 0.5}).json()

    assert body["status"] == "scheduled"
    assert not Ready.objects.filter(job_id=body["id"]).exists()


@pytest.mark.parametrize("offset", ["Z", "+02:00", "-11:30"])
def test_a_time_keeps_its_moment_whatever_its_offset(world: World, offset: str) -> None:
    local = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S.123456") + offset

    job = Job.objects.get(pk=api(world.operator).post(JOBS, {**ADD, "run_at": local}).json()["id"])

    assert job.status == "scheduled"
    assert job.run_at is not None
    assert job.run_at.isoformat() == datetime.fromisoformat(local).astimezone(UTC).isoformat()


def test_a_time_in_the_past_is_now(world: World) -> None:
    past = (timezone.now() - timedelta(days=300)).isoformat()

    assert api(world.operator).post(JOBS, {**ADD, "run_at": past}).json()["status"] == "queued"


def test_the_name_is_by_default_the_tasks(world: World) -> None:
    assert api(world.operator).post(JOBS, ADD).json()["name"] == "demo.add"


@pytest.mark.parametrize(
    "name",
    [
        "🛠️ ночной отчёт",
        "تقرير ليلي",
        "👩‍👩‍👧‍👦",
        "\u202eevil\u202c",
        "  both ends  ",
        "a\tb",
        "__proto__",
        "<b>bold</b>",
    ],
)
def test_a_name_comes_back_to_the_letter(world: World, name: str) -> None:
    client = api(world.operator)
    response = client.post(JOBS, {**ADD, "name": name, "title": name, "description": name})

    shown = client.get(response["Location"]).json()

    assert response.status_code == 201
    assert [shown[field] for field in ("name", "title", "description")] == [name] * 3


def test_a_payload_comes_back_to_the_letter(world: World) -> None:
    value = {"ключ": ["✓", 1, 1.5, -0.25, 10**300, True, None, {"__proto__": {}}], "": '\u0001\\"/'}
    client = api(world.operator)

    response = client.post(JOBS, {"type": "python", "payload": {"task": "tests.echo", "kwargs": {"value": value}}})

    assert client.get(response["Location"]).json()["payload"]["kwargs"]["value"] == value


# --- Idempotency ------------------------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_brings_the_same_job(world: World) -> None:
    client = api(world.operator)
    first = client.post(JOBS, ADD, headers={"Idempotency-Key": "invoice-17"})

    again = client.post(JOBS, ADD, headers={"Idempotency-Key": "invoice-17"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert (again["Idempotent-Replayed"], again["Location"]) == ("true", first["Location"])
    assert "Idempotent-Replayed" not in first
    assert Job.objects.get().idempotency_key == "invoice-17"


def test_the_same_key_in_quotes_is_the_same_key(world: World) -> None:
    client = api(world.operator)
    client.post(JOBS, ADD, headers={"Idempotency-Key": "k"})

    assert client.post(JOBS, ADD, headers={"Idempotency-Key": '"k"'}).status_code == 200


def test_a_key_with_another_body_is_refused(world: World) -> None:
    client = api(world.operator)
    client.post(JOBS, ADD, headers={"Idempotency-Key": "k"})

    response = client.post(JOBS, {**ADD, "urgency": "high"}, headers={"Idempotency-Key": "k"})

    assert response.status_code == 422
    assert response.json()["type"] == "urn:smartqueue:problem:idempotency_key_reused"
    assert Job.objects.count() == 1


def test_a_key_belongs_to_its_organisation(world: World) -> None:
    api(world.operator).post(JOBS, ADD, headers={"Idempotency-Key": "k"})

    assert api(world.outsider).post(JOBS, ADD, headers={"Idempotency-Key": "k"}).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    response = api(world.operator).post(JOBS, ADD, headers={"Idempotency-Key": key})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/idempotency_key"
    assert not Job.objects.exists()


# --- Caps by role -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "value"), [("timeout_seconds", 3601), ("max_attempts", 11)])
def test_an_org_admin_may_ask_for_more_than_an_operator(world: World, field: str, value: int) -> None:
    refused = api(world.operator).post(JOBS, {**ADD, field: value})
    taken = api(world.owner).post(JOBS, {**ADD, field: value})

    assert (refused.status_code, taken.status_code) == (400, 201)
    assert refused.json()["errors"][0]["pointer"] == f"/{field}"


# --- The request's id -------------------------------------------------------------------------------------------


def test_the_correlation_id_is_kept_with_the_job_and_sent_back(world: World) -> None:
    response = api(world.operator).post(JOBS, ADD, headers={"X-Correlation-ID": "order-4711"})

    assert response["X-Correlation-ID"] == response.json()["correlation_id"] == "order-4711"
    assert Job.objects.get().correlation_id == "order-4711"


def test_a_request_without_one_is_given_a_correlation_id(world: World) -> None:
    response = api(world.operator).post(JOBS, ADD, headers={"X-Correlation-ID": "bad id\x7f"})

    assert response["X-Correlation-ID"] == response.json()["correlation_id"]
    assert len(response["X-Correlation-ID"]) == 32
