"""Broken and hostile fields of a submit: answered 4xx in the one shape, nothing stored, never a 5xx."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Job, Queue
from tests.conftest import World
from tests.factories import api
from tests.jobs.api.refusals import ADD, JOBS, assert_refused

pytestmark = pytest.mark.django_db

PAST = (timezone.now() - timedelta(days=400)).isoformat()
FUTURE = (timezone.now() + timedelta(days=400)).isoformat()
FIELDS: list[tuple[str, Any]] = [
    *[("type", value) for value in ("", " ", "PYTHON", "os.system", "builtins.eval", "..", "__class__", "x" * 100)],
    *[("type", value) for value in (1, None, True, [], {}, ["python"])],
    *[("name", value) for value in ("", "   ", "x" * 65, 1, None, True, ["a"], {"a": 1})],
    *[("title", value) for value in ("x" * 201, 1, None, [])],
    *[("description", value) for value in ("x" * 10_001, 1, None, {})],
    *[("queue", value) for value in ("", "A", "a b", "-a", "a" * 41, "ü", "a\n", "../x", 1, None, [])],
    *[("urgency", value) for value in ("", "HIGH", "urgent", 1, None, [], {}, True)],
    *[("category", value) for value in ("", "database", "x' OR 1=1", 1, None, [])],
    *[("limit_key", value) for value in ("x" * 65, 1, None, True, [], {})],
    *[("delay_seconds", value) for value in (-1, -0.001, 1e10, 10**20, 10**399, "1", True, None, [], "１２")],
    *[("timeout_seconds", value) for value in (0, -1, 1.5, 2.0, 2**31, 2**63, 2**70, 10**399, "5", "１２", True, None)],
    *[("max_attempts", value) for value in (0, -1, 1.0, 26, 2**31, 2**63, 2**70, "3", "３", True, None, [])],
    *[
        ("run_at", value)
        for value in (
            *("infinity", "-infinity", "now", "", "tomorrow", "2026-12-01", "2026-12-01T10:00:00", PAST, FUTURE),
            *("2027-02-30T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T00:00:61Z"),
            *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z"),
            *(
                "0001-01-01T00:00:00+14:00",
                "2027-01-01T00:00:00+25:00",
                "2027-01-01T00:00:00.Z",
                "２027-01-01T00:00:00Z",
            ),
            *(" 2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z\n", "2027-01-01T00:00:00 Z", "2027-W01-1T00:00:00Z"),
            *(1_800_000_000, 1.5, None, True, [], {"year": 2027}, "P1D", "2027-01-01T00:00:00+00:00:00"),
        )
    ],
    *[("payload", value) for value in (None, [], "x", 1, True, {"task": "demo.add"}, {}, {"task": "x" * 11_000})],
    ("payload", {"task": "tests.echo", "kwargs": {"value": "x" * 11_000}}),
    ("payload", {"task": "tests.echo", "kwargs": {"value": {"k" * 1_000_000: 1}}}),
    ("payload", {"task": "tests.echo", "kwargs": {"value": {str(number): 1 for number in range(100_000)}}}),
    ("payload", {"task": "tests.echo", "kwargs": {"value": 1}, "extra": 1}),
    ("payload", {"task": "os.system", "kwargs": {"command": "id"}}),
    ("payload", {"task": "__import__('os').system('id')"}),
    *[
        (name, 1)
        for name in (
            *(
                "id",
                "org",
                "org_id",
                "status",
                "state",
                "priority",
                "rank",
                "attempt",
                "attempt_limit",
                "life",
                "result",
            ),
            *("created_by", "created_at", "lease", "worker", "predicted_ms", "idempotency_key", "correlation_id"),
            *("is_superuser", "role", "", "a.b/c~d", "type ", "Type", "__proto__", "payload__task"),
        )
    ],
]


# Numbered, because every process that collects the tests must give them the same names, and some values are times.
@pytest.mark.parametrize(("field", "value"), FIELDS, ids=[f"{field}-{n}" for n, (field, _) in enumerate(FIELDS)])
def test_a_field_that_is_wrong_is_named_and_nothing_stored(world: World, field: str, value: Any) -> None:
    problem = assert_refused(api(world.owner).post(JOBS, {**ADD, field: value}))

    pointers = [error["pointer"] for error in problem["errors"]]
    wanted = "/" + field.replace("~", "~0").replace("/", "~1")
    assert any(pointer == wanted or pointer.startswith(f"{wanted}/") for pointer in pointers), pointers
    assert not Job.objects.exists()
    assert not Queue.objects.exists()


def test_run_at_and_a_delay_together_are_refused(world: World) -> None:
    soon = (timezone.now() + timedelta(days=1)).isoformat()

    problem = assert_refused(api(world.owner).post(JOBS, {**ADD, "run_at": soon, "delay_seconds": 5}))

    assert problem["errors"][0]["pointer"] == "/delay_seconds"


def test_many_faults_are_told_together_but_not_without_end(world: World) -> None:
    body = {f"unknown{number}": 1 for number in range(100_000)}

    problem = assert_refused(api(world.owner).post(JOBS, body))

    assert {"/type", "/payload"} <= {error["pointer"] for error in problem["errors"]}
    assert len(problem["errors"]) <= 50


@pytest.mark.parametrize("size", [9_900, 10_000])
def test_a_payload_up_to_the_limit_is_taken(world: World, size: int) -> None:
    frame = len('{"kwargs":{"value":""},"task":"tests.echo"}')
    payload = {"task": "tests.echo", "kwargs": {"value": "x" * (size - frame)}}

    assert api(world.owner).post(JOBS, {"type": "python", "payload": payload}).status_code == 201
    assert Job.objects.get().payload_bytes == size
