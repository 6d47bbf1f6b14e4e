"""What would it take: /predict/ and /model/."""

from typing import Any

import pytest

from jobs.models import Job, ModelVersion, WorkerProcess
from jobs.queue.keep_order import keep_backlog
from tests.conftest import World
from tests.factories import api, make_history, make_job

pytestmark = pytest.mark.django_db

PREDICT = "/api/v1/predict/"
MODEL = "/api/v1/model/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def serve(queue: str, slots: int = 2) -> None:
    WorkerProcess.objects.create(
        id="018f0000-0000-7000-8000-000000000009",
        kind="worker",
        hostname="tester",
        pid=1,
        version="0",
        slots=slots,
        queues=[queue],
        types=["python"],
        started_at="2026-01-01T00:00:00Z",
        beat_at="2026-01-01T00:00:00Z",
    )


def test_a_new_tenant_is_told_the_default(world: World) -> None:
    response = api(world.viewer).post(PREDICT, ADD)

    assert response.status_code == 200
    assert response.json() == {
        "predicted_ms": 2000.0,
        "low_ms": None,
        "high_ms": None,
        "failure_probability": None,
        "source": "default",
        "model_version": None,
        "priority": pytest.approx(0.6),
        "starts_in_seconds": None,
        "expected": None,
    }
    assert not Job.objects.exists()


def test_a_known_job_is_predicted_from_its_own_runs_and_nobody_elses(world: World) -> None:
    make_history(world.org, [500.0, 500.0])
    make_history(world.rival, [90_000.0])

    body = api(world.viewer).post(PREDICT, ADD).json()

    assert body["source"] == "history"
    assert body["low_ms"] <= body["predicted_ms"] <= body["high_ms"]
    assert body["predicted_ms"] == pytest.approx(500.0, rel=0.5)
    assert 0 <= body["failure_probability"] <= 1


def test_a_submit_is_given_what_was_predicted(world: World) -> None:
    make_history(world.org, [500.0])
    client = api(world.operator)

    foretold, stored = client.post(PREDICT, ADD).json(), client.post("/api/v1/jobs/", ADD).json()

    assert foretold["predicted_ms"] == stored["predicted_ms"]
    assert foretold["priority"] == stored["priority"]


def test_the_start_is_foretold_from_the_work_ahead(world: World) -> None:
    serve("default")
    client = api(world.viewer)
    idle = client.post(PREDICT, ADD).json()["starts_in_seconds"]
    for _ in range(4):
        make_job(world.org, urgency="high")
    keep_backlog()

    busy = client.post(PREDICT, ADD).json()["starts_in_seconds"]

    assert idle == 0.0
    assert busy == pytest.approx(4 * 2.0 / 2, rel=0.05)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "no-such"}, "/type"),
        ({"payload": {"task": "no.such"}}, "/payload/task"),
        ({"timeout_seconds": 10**9}, "/timeout_seconds"),
        ({"queue": "Not A Queue"}, "/queue"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_what_a_submit_refuses_is_refused_here(world: World, change: dict[str, Any], pointer: str) -> None:
    asked = {**ADD, **change}

    foretold = api(world.operator).post(PREDICT, asked)
    submitted = api(world.operator).post("/api/v1/jobs/", asked)

    assert foretold.status_code == submitted.status_code == 400
    assert foretold.json()["errors"] == submitted.json()["errors"]
    assert foretold.json()["errors"][0]["pointer"] == pointer


# --- The model --------------------------------------------------------------------------------------------------


def test_without_a_model_there_is_none(world: World) -> None:
    body = api(world.viewer).get(MODEL).json()

    assert (body["state"], body["active"], body["versions"]) == ("none", None, [])
    assert (body["learning"]["runs"], body["learning"]["trained_at"]) == (0, None)
    assert body["starts"] == {"jobs": 0, "median_error_seconds": None, "within_range": None}


def test_models_are_shown_with_their_errors_and_only_ones_own(world: World) -> None:
    for version in (1, 2):
        ModelVersion.objects.create(
            org=world.org, version=version, weights=b"", samples=100 * version, metrics={"mae": 1 / version}
        )
    ModelVersion.objects.create(org=world.rival, version=9, weights=b"", samples=1, active=True)

    body = api(world.viewer).get(MODEL).json()

    assert (body["state"], body["active"]) == ("none", None)
    assert [(item["version"], item["samples"], item["metrics"]) for item in body["versions"]] == [
        (2, 200, {"mae": 0.5}),
        (1, 100, {"mae": 1.0}),
    ]


def test_a_broken_model_is_called_broken_and_predicts_nothing(world: World) -> None:
    ModelVersion.objects.create(org=world.org, version=1, weights=b"rubbish", samples=5, active=True)
    make_history(world.org, [500.0])
    client = api(world.operator)

    body = client.get(MODEL).json()

    assert (body["state"], body["active"]["version"]) == ("broken", 1)
    assert client.post(PREDICT, ADD).json()["source"] == "history"
    assert client.post("/api/v1/jobs/", ADD).status_code == 201
