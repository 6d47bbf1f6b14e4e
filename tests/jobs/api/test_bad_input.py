"""Hostile and broken requests: answered 4xx in the one shape, nothing stored, never a 5xx."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import Job, Queue, Transition
from orgs.models import User
from tests.conftest import World
from tests.factories import PASSWORD, api, make_dead_letter, make_job

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
TEXT = json.dumps(ADD)


def echo(value: str, **fields: Any) -> bytes:
    """A submit whose payload holds this JSON text."""
    start = json.dumps({"type": "python", **fields})[:-1]
    return f'{start}, "payload": {{"task": "tests.echo", "kwargs": {{"value": {value}}}}}}}'.encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def assert_refused(response: HttpResponse, *statuses: int) -> dict[str, Any]:
    assert response.status_code in (statuses or (400,)), response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert set(body) == {"type", "title", "status", "detail", "instance", "request_id", "errors"}
    assert body["status"] == response.status_code
    assert body["type"].startswith("urn:smartqueue:problem:")
    assert body["request_id"] == response["X-Correlation-ID"]
    assert body["detail"]
    for error in body["errors"]:
        assert set(error) == {"pointer", "code", "detail"}
    assert "Traceback" not in response.content.decode()
    assert "psycopg" not in response.content.decode()
    return body


# --- Bodies that are no JSON we keep, at every path that takes one ---------------------------------------------------

BODIES = {
    "cut short": TEXT[:-1].encode(),
    "two values": TEXT.encode() * 2,
    "trailing comma": b'{"type": "python",}',
    "single quotes": b"{'type': 'python'}",
    "comment": b'{"type": "python" /* no */}',
    "nothing but space": b"   ",
    "nul character in value": echo('"a\\u0000b"'),
    "nul character in key": echo('{"a\\u0000b": 1}'),
    "nul character in name": echo("1", name="a\0b"),
    "raw nul": echo('"a\0b"'),
    "raw newline in string": echo('"a\nb"'),
    "only a nul": b"\0",
    "high surrogate alone": echo('"\\ud800"'),
    "low surrogate alone": echo('"\\udc00"'),
    "surrogates the wrong way round": echo('"\\udc00\\ud800"'),
    "surrogate in key": echo('{"\\ud800": 1}'),
    "surrogate in name": echo("1", name="\ud800"),
    "invalid utf-8": b'{"type": "python\xff"}',
    "overlong utf-8": b'{"type": "\xc0\xaf"}',
    "utf-8 surrogate": b'{"type": "\xed\xa0\x80"}',
    "utf-16": TEXT.encode("utf-16"),
    "utf-16 without mark": TEXT.encode("utf-16-le"),
    "utf-32": TEXT.encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "NaN": echo("NaN"),
    "Infinity": echo("Infinity"),
    "-Infinity": echo("-Infinity"),
    "1e400": echo("1e400"),
    "-1e400": echo("-1e400"),
    "5,000 digits": echo("9" * 5000),
    "5,000 decimals": echo("0." + "9" * 5000),
    "leading zero": echo("007"),
    "plus sign": echo("+1"),
    "hexadecimal": echo("0x10"),
    "fullwidth digits": echo("１２"),
    "nested 65 deep": echo(nested(65)),
    "nested 100": echo(nested(100)),
    "nested 5,000": echo(nested(5_000)),
    "nested 100,000": echo(nested(100_000)),
    "objects nested 5,000": echo('{"a":' * 5_000 + "1" + "}" * 5_000),
    "open brackets only": b"[" * 100_000,
    "brackets after a string that never ends": b"[" * 70 + b'"' + b'\\"' * 50_000,
    "a key twice": b'{"type": "python", "type": "shell", "payload": {}}',
    "a key twice inside": echo('{"a": 1, "a": 2}'),
    "a key twice, escaped": echo('{"a": 1, "\\u0061": 2}'),
    "list": b"[]",
    "list of a job": f"[{TEXT}]".encode(),
    "number": b"1",
    "string": b'"job"',
    "true": b"true",
    "null": b"null",
}
TAKERS = ["jobs", "bulk", "replay many", "cancellation", "replay", "predict", "tasks", "pause"]


@pytest.fixture
def takers(world: World) -> dict[str, str]:
    """Every path that takes a body."""
    dead, queued = make_dead_letter(world.org), make_job(world.org)
    return {
        "jobs": JOBS,
        "bulk": f"{JOBS}bulk/",
        "replay many": f"{JOBS}replay/",
        "cancellation": f"{JOBS}{queued.pk}/cancellation/",
        "replay": f"{JOBS}{dead.pk}/replay/",
        "predict": "/api/v1/predict/",
        "tasks": "/api/v1/tasks/",
        "pause": "/api/v1/queues/default/pause/",
    }


def untouched() -> tuple[int, int, list[str], bool]:
    return (
        Job.objects.count(),
        Transition.objects.count(),
        sorted(Job.objects.values_list("status", flat=True)),
        Queue.objects.filter(paused_at__isnull=False).exists(),
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_we_keep_is_refused_everywhere(
    world: World, takers: dict[str, str], body: bytes
) -> None:
    client, before = api(world.owner), untouched()

    for path in takers.values():
        assert_refused(client.generic("POST", path, body, content_type="application/json"))

    assert untouched() == before


CONTENT_TYPES = [
    "application/xml",
    "text/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/json",
    "application/json5",
    "application/octet-stream",
    "application/*",
    "*/*",
    "json",
    "",
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_only_application_json_is_read(world: World, takers: dict[str, str], content_type: str) -> None:
    client, before = api(world.owner), untouched()

    for path in takers.values():
        assert_refused(client.generic("POST", path, TEXT.encode(), content_type=content_type), 415)

    assert untouched() == before


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_application_json_is_read_however_it_is_written(world: World, content_type: str) -> None:
    assert api(world.owner).generic("POST", JOBS, TEXT, content_type=content_type).status_code == 201


def test_a_body_of_13_megabytes_is_refused_unread(world: World) -> None:
    body = echo(f'"{"x" * 13_000_000}"')

    problem = assert_refused(api(world.owner).generic("POST", JOBS, body, content_type="application/json"), 413)

    assert problem["type"] == "urn:smartqueue:problem:body_too_large"
    assert not Job.objects.exists()


def test_a_chunked_body_is_not_taken_for_an_empty_one(world: World) -> None:
    chunks = b"2\r\n{}\r\n0\r\n\r\n"

    response = api(world.owner).generic(
        "POST", JOBS, chunks, content_type="application/json", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""
    )

    assert_refused(response, 411)


def test_an_address_without_end_is_refused(world: World) -> None:
    client = api(world.owner)

    assert_refused(client.get(JOBS, {"q": "x" * 5_000}), 414)
    assert_refused(client.get(f"{JOBS}{'x' * 5_000}/"), 414)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png"])
def test_who_takes_no_json_is_told_so(world: World, accept: str) -> None:
    assert_refused(api(world.owner).get(JOBS, headers={"Accept": accept}), 406)


def test_a_method_override_overrides_nothing(world: World) -> None:
    job = make_job(world.org)

    for headers in ({"X-HTTP-Method-Override": "DELETE"}, {"X-Method-Override": "POST"}):
        assert api(world.owner).get(f"{JOBS}{job.pk}/", headers=headers).status_code == 200
    assert_refused(api(world.owner).post(f"{JOBS}{job.pk}/?_method=DELETE", {}), 405)


# --- Fields of a submit -----------------------------------------------------------------------------------------

PAST = (timezone.now() - timedelta(days=400)).isoformat()
FUTURE = (timezone.now() + timedelta(days=400)).isoformat()
FIELDS: list[tuple[str, Any]] = [
    *[("type", value) for value in ("", " ", "PYTHON", "os.system", "builtins.eval", "..", "__class__", "x" * 100)],
    *[("type", value) for value in (1, None, True, [], {}, ["python"])],
    *[("type", value) for value in ("etl", "ml", "email", "image-resize", "data-export")],
    *[("name", value) for value in ("", "   ", "x" * 65, 1, None, True, ["a"], {"a": 1})],
    *[("title", value) for value in ("x" * 201, 1, None, [])],
    *[("description", value) for value in ("x" * 10_001, 1, None, {})],
    *[("queue", value) for value in ("", "A", "a b", "-a", "a" * 41, "ü", "a\n", "../x", 1, None, [])],
    *[("urgency", value) for value in ("", "HIGH", "urgent", 1, None, [], {}, True)],
    *[("category", value) for value in ("", "database", "x' OR 1=1", 1, None, [])],
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


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=[f"{field}={str(value)[:24]!r}" for field, value in FIELDS])
def test_a_field_that_is_wrong_is_named_and_nothing_stored(world: World, field: str, value: Any) -> None:
    problem = assert_refused(api(world.owner).post(JOBS, {**ADD, field: value}))

    pointers = [error["pointer"] for error in problem["errors"]]
    wanted = "/" + field.replace("~", "~0").replace("/", "~1")
    assert any(pointer == wanted or pointer.startswith(f"{wanted}/") for pointer in pointers), pointers
    assert not Job.objects.exists()
    assert not Queue.objects.exists()


@pytest.mark.parametrize("word", ["etl", "ml", "email", "image-resize", "data-export"])
def test_a_type_that_is_not_there_yet_says_so(world: World, word: str) -> None:
    problem = assert_refused(api(world.owner).post(JOBS, {**ADD, "type": word}))

    assert "not available in this version" in problem["detail"]
    assert problem["type"] == "urn:smartqueue:problem:unknown_job_type"


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


# --- Ids of others, in paths and bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["cancellation/", "replay/"])
def test_acts_on_another_organisations_job_find_nothing(world: World, tail: str) -> None:
    theirs = make_dead_letter(world.rival)
    before = untouched()
    client = api(world.owner)

    answers = [
        assert_refused(client.post(f"{JOBS}{word}/{tail}", {}), 404)
        for word in (theirs.pk, uuid4(), "nonsense", "0", "%00", "null")
    ]

    assert len({(answer["type"], answer["detail"]) for answer in answers}) == 1
    assert untouched() == before


# --- Tokens -----------------------------------------------------------------------------------------------------


def bearer(word: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=word)
    return client


def forged(user: User, **claims: Any) -> str:
    """A token with our own signature and these claims in place of its own."""
    good = str(AccessToken.for_user(user))
    own = jwt.decode(good, options={"verify_signature": False})
    return jwt.encode({**own, **claims}, settings.JWT_SIGNING_KEY, "HS256")


def test_a_token_that_has_expired_or_was_changed_opens_nothing(world: World) -> None:
    good = forged(world.owner)
    head, claims, signature = good.split(".")
    assert bearer(f"Bearer {good}").get(JOBS).status_code == 200
    words = [
        forged(world.owner, exp=int(timezone.now().timestamp()) - 1),
        forged(world.owner, aud="another"),
        forged(world.owner, iss="another"),
        forged(world.owner, token_type="refresh"),
        forged(world.owner, user_id="1000000000"),
        f"{head}.{claims}.{signature[:-2]}AA",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head[:-1]}.{claims}.{signature}",
        "x",
        "",
        "a.b.c",
        "\x00",
        "🛠".encode().decode("latin-1"),
        "x" * 1_000_000,
    ]

    for word in words:
        assert_refused(bearer(f"Bearer {word}").post(JOBS, ADD), 401)
    for word in (good, f"Basic {good}", f"Token {good}", f"Bearer{good}", f"Bearer {good} {good}"):
        assert_refused(bearer(word).post(JOBS, ADD), 401)
    assert not Job.objects.exists()


def test_a_token_given_before_the_password_changed_opens_nothing(world: World) -> None:
    client = api(world.owner)
    world.owner.set_password(PASSWORD + "!")
    world.owner.save()

    assert_refused(client.post(JOBS, ADD), 401)


def test_the_token_of_a_closed_account_opens_nothing(world: World) -> None:
    client = api(world.owner)
    User.objects.filter(pk=world.owner.pk).update(is_active=False)

    assert_refused(client.post(JOBS, ADD), 401)


@pytest.mark.parametrize("slug", ["rival", "unknown", "Not A Slug", "x" * 300, "a\x01", "acme,rival", "../acme"])
def test_an_organisation_that_is_not_ones_own_is_not_there(world: World, slug: str) -> None:
    assert_refused(api(world.owner).get(JOBS, headers={"X-Org": slug}), 404)


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/", "/api/", "/api/v1/jobs/a/b/c/", "/api/v2/jobs/"])
def test_a_path_that_is_not_there_is_a_problem_too(world: World, path: str) -> None:
    assert_refused(api(world.owner).get(path), 404)
    assert_refused(api().post(path, {}), 404)
