"""Broken and hostile bodies: answered 4xx in the one shape, nothing stored, never a 5xx."""

import json
from typing import Any

import pytest
from django.db.models.functions import Now

from jobs.models import AlertRule, Artefact, Job, Limit, Queue, SavedView, Schedule, Subscriber, Transition
from orgs.models import Org, Secret
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_job, make_webhook
from tests.jobs.api.refusals import ADD, JOBS, assert_refused

pytestmark = pytest.mark.django_db

TEXT = json.dumps(ADD)


def echo(value: str, **fields: Any) -> bytes:
    """A submit whose payload holds this JSON text."""
    start = json.dumps({"type": "python", **fields})[:-1]
    return f'{start}, "payload": {{"task": "tests.echo", "kwargs": {{"value": {value}}}}}}}'.encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


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


@pytest.fixture
def takers(world: World) -> list[tuple[str, str]]:
    """Every method and path that takes a body."""
    dead, queued = make_dead_letter(world.org), make_job(world.org)
    schedule = Schedule.objects.create(org=world.org, name="s", cron="@daily", job=ADD)
    artefact = Artefact.objects.create(org=world.org, name="a", content_type="a/b", size_bytes=1, sha256="x")
    rule = AlertRule.objects.create(org=world.org, name="r", kind="latency", threshold=1)
    view = SavedView.objects.create(org=world.org, name="v", created_at=Now())
    return [
        ("POST", JOBS),
        ("POST", f"{JOBS}bulk/"),
        ("POST", "/api/v1/keys/"),
        ("POST", f"{JOBS}replay/"),
        ("POST", "/api/v1/bulk-operations/"),
        ("POST", f"{JOBS}{queued.pk}/cancellation/"),
        ("POST", f"{JOBS}{queued.pk}/change/"),
        ("POST", f"{JOBS}{queued.pk}/snooze/"),
        ("POST", f"{JOBS}{queued.pk}/run-now/"),
        ("POST", f"{JOBS}{dead.pk}/replay/"),
        ("POST", f"{JOBS}{dead.pk}/classification/"),
        ("PUT", "/api/v1/classifier/categories/"),
        ("POST", "/api/v1/predict/"),
        ("POST", "/api/v1/tasks/"),
        ("PATCH", "/api/v1/queues/default/"),
        ("POST", "/api/v1/queues/default/pause/"),
        ("POST", "/api/v1/queues/default/closing/"),
        ("POST", "/api/v1/pauses/"),
        ("PUT", "/api/v1/limits/type/python/"),
        ("POST", f"/api/v1/artefacts/{artefact.pk}/links/"),
        ("PATCH", "/api/v1/orgs/acme/job-settings/"),
        ("POST", "/api/v1/schedules/"),
        ("POST", "/api/v1/webhooks/"),
        ("PATCH", f"/api/v1/webhooks/{make_webhook(world.org).pk}/"),
        ("POST", "/api/v1/mail-alerts/"),
        ("POST", f"/api/v1/webhooks/{Subscriber.objects.get().pk}/resend/"),
        ("POST", "/api/v1/alert-rules/"),
        ("PATCH", f"/api/v1/alert-rules/{rule.pk}/"),
        ("PATCH", f"/api/v1/schedules/{schedule.pk}/"),
        ("PUT", "/api/v1/secrets/mailgun/"),
        ("POST", "/api/v1/job-views/"),
        ("PATCH", f"/api/v1/job-views/{view.pk}/"),
    ]


def untouched() -> tuple[int, int, list[str], bool, bool, list[Any], list[Any], bool, list[Any]]:
    return (
        Job.objects.count(),
        Transition.objects.count(),
        sorted(Job.objects.values_list("status", flat=True)),
        Queue.objects.exclude(paused_at=None, policy="").exists(),
        Limit.objects.exists(),
        list(Schedule.objects.values()),
        list(Subscriber.objects.values()),
        Secret.objects.exists(),
        [org.job_settings for org in Org.objects.order_by("pk")],
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_we_keep_is_refused_everywhere(
    world: World, takers: list[tuple[str, str]], body: bytes
) -> None:
    client, before = api(world.owner), untouched()

    for method, path in takers:
        assert_refused(client.generic(method, path, body, content_type="application/json"))

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
def test_only_application_json_is_read(world: World, takers: list[tuple[str, str]], content_type: str) -> None:
    client, before = api(world.owner), untouched()

    for method, path in takers:
        assert_refused(client.generic(method, path, TEXT.encode(), content_type=content_type), 415)

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
