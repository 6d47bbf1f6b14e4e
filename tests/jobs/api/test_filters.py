"""GET /jobs/: which jobs."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import World
from tests.factories import api, claim_all, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"


def ids(client: APIClient, **query: Any) -> list[str]:
    response = client.get(JOBS, query)
    assert response.status_code == 200, response.json()
    return [item["id"] for item in response.json()["items"]]


@pytest.fixture
def one_in_each_status(world: World) -> dict[str, str]:
    """Ids by status."""
    known = {"done": make_done(world.org), "failed": make_dead_letter(world.org), "running": make_job(world.org)}
    claim_all()
    known["queued"] = make_job(world.org)
    known["scheduled"] = make_job(world.org, delay_seconds=60)
    known["cancelled"] = make_job(world.org, delay_seconds=60)
    api(world.operator).post(f"{JOBS}{known['cancelled'].pk}/cancellation/", {})
    return {status: str(job.pk) for status, job in known.items()}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        *[(status, {status}) for status in ("scheduled", "queued", "running", "done", "failed", "cancelled")],
        ("PENDING", {"scheduled", "queued"}),
        ("PROCESSING", {"running"}),
        ("COMPLETED", {"done"}),
        ("FAILED", {"failed"}),
        ("queued,done", {"queued", "done"}),
        (["running", "FAILED"], {"running", "failed"}),
        (["running,done", "done"], {"running", "done"}),
    ],
)
def test_jobs_are_found_by_status(
    world: World, one_in_each_status: dict[str, str], asked: Any, expected: set[str]
) -> None:
    found = ids(api(world.viewer), status=asked)

    assert sorted(found) == sorted(one_in_each_status[status] for status in expected)


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({"type": "shell", "payload": {"argv": ["/bin/echo"]}}, {"type": "shell"}),
        ({"queue": "mail"}, {"queue": "mail"}),
        ({"urgency": "high"}, {"urgency": "high"}),
        ({"category": "Network"}, {"category": "Network"}),
        ({"name": "nightly"}, {"name": "nightly"}),
        ({"name": "nightly report"}, {"q": "LY REP"}),
        ({"title": "Rechnungslauf 100%"}, {"q": "0%"}),
        ({"description": "für Łódź"}, {"q": "łódź"}),
        ({"description": "a_b"}, {"q": "a_"}),
    ],
)
def test_jobs_are_found_by_what_they_say(world: World, fields: dict[str, Any], query: dict[str, str]) -> None:
    found = make_job(world.org, **fields)
    make_job(world.org)

    assert ids(api(world.viewer), **query) == [str(found.pk)]


def test_jobs_are_found_by_creator_and_correlation_id(world: World) -> None:
    made = api(world.operator).post(
        JOBS,
        {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}},
        headers={"X-Correlation-ID": "order-1"},
    )
    make_job(world.org, user=world.owner)

    for query in ({"creator": "operator"}, {"creator": "OPERATOR"}, {"correlation_id": "order-1"}):
        assert ids(api(world.viewer), **query) == [made.json()["id"]]
    assert ids(api(world.viewer), creator="nobody") == []


def test_jobs_are_found_by_id_and_by_its_end(world: World) -> None:
    job = make_job(world.org)
    make_job(world.org)

    assert ids(api(world.viewer), q=str(job.pk)) == [str(job.pk)]
    assert ids(api(world.viewer), q=job.short_id) == [str(job.pk)]


def test_jobs_are_found_by_error(world: World) -> None:
    dead = make_dead_letter(world.org)
    make_job(world.org)

    assert ids(api(world.viewer), q="broken") == ids(api(world.viewer), error_type="ValueError") == [str(dead.pk)]


def test_jobs_are_found_by_time_of_creation(world: World) -> None:
    job = make_job(world.org)
    early, late = job.created_at - timedelta(seconds=5), job.created_at + timedelta(seconds=5)
    client = api(world.viewer)

    assert ids(client, created_after=early.isoformat(), created_before=late.isoformat()) == [str(job.pk)]
    assert ids(client, created_after=job.created_at.isoformat()) == [str(job.pk)]
    assert ids(client, created_after=late.isoformat()) == []
    assert ids(client, created_before=job.created_at.isoformat()) == []


def test_filters_are_all_held_together(world: World) -> None:
    both = make_job(world.org, queue="mail", urgency="low")
    make_job(world.org, queue="mail")
    make_job(world.org, urgency="low")

    assert ids(api(world.viewer), queue="mail", urgency="low") == [str(both.pk)]


@pytest.mark.parametrize(
    "query",
    [
        {"page": "2"},
        {"offset": "10"},
        {"ordering": "id"},
        {"status": "finished"},
        {"status": ""},
        {"status": "queued,,done"},
        {"type": "nonsense"},
        {"type": ""},
        {"queue": "Not A Queue"},
        {"urgency": "highest"},
        {"category": "x' OR 1=1"},
        {"created_after": "2026-01-31"},
        {"created_after": "2026-01-31T12:00:00"},
        {"created_after": "infinity"},
        {"created_after": "0001-01-01T00:00:00Z"},
        {"created_before": "9999-12-31T23:59:59-12:00"},
        {"created_before": "2026-02-30T00:00:00Z"},
        {"q": "nul\x00"},
        {"q": "x" * 201},
        {"q": ["one", "two"]},
        {"sort": "password"},
        {"sort": "org__owner__password"},
        {"sort": "created_by__password"},
        {"sort": "-id;--"},
        {"sort": "?"},
        {"sort": "--created"},
        {"sort": ["created", "name"]},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "201"},
        {"limit": "1000000000"},
        {"limit": "9" * 400},
        {"limit": "１２"},
        {"limit": "ten"},
        {"limit": "1.5"},
        {"payload__x' OR 1=1": "1"},
        {"created_by__password__startswith": "a"},
        {"\x00": "1"},
    ],
    ids=lambda query: "&".join(f"{name}={value}"[:40] for name, value in query.items()).replace("\x00", "NUL"),
)
def test_what_is_not_in_the_lists_is_refused(world: World, query: dict[str, Any]) -> None:
    response = api(world.viewer).get(JOBS, query)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert error["pointer"].split("/")[1].startswith(next(iter(query)).replace("\x00", "\x00")[:20])
