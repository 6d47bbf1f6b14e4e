"""One delivery over the wire: what the receiver gets, and what is made of his answer."""

import json
import re
import time
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from jobs.delivery.post import errand, post
from jobs.delivery.signing import new_secret, sealed
from jobs.handlers.base import StopReason
from jobs.models import Delivery, Subscriber
from jobs.queue.deliveries import note
from tests.factories import make_dead_letter, make_delivery, make_org, make_webhook
from tests.jobs.delivery.rounds import deliver, make_due, seconds_to_next, take
from tests.jobs.handlers.server import Exchange, Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook(server: Server) -> Subscriber:
    return make_webhook(make_org(), server.on("/hook", body="thank you"))


@pytest.fixture
def delivery(webhook: Subscriber) -> Delivery:
    return make_delivery(webhook, event="job.done", data={"job": {"id": "x"}}, correlation_id="corr-7")


def test_it_is_posted_signed_and_told_of(server: Server) -> None:
    secret = new_secret()
    org = make_org()
    make_webhook(org, server.on("/hook?a=b".partition("?")[0]) + "?a=b", secret=secret)
    job = make_dead_letter(org, title="Sum")

    (report,) = deliver()

    assert report.delivered
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/hook?a=b")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["X-Correlation-ID"] == job.correlation_id
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", asked.headers["traceparent"])
    message = Webhook(secret).verify(asked.body, asked.headers)
    delivery = Delivery.objects.get()
    assert asked.headers["webhook-id"] == str(delivery.pk)
    assert message["type"] == "job.failed"
    assert message["timestamp"] == f"{delivery.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    told = message["data"]["job"]
    assert (told["id"], told["title"], told["status"], told["error"]) == (str(job.pk), "Sum", "failed", "broken")
    assert (told["correlation_id"], told["attempt"], told["life"]) == (job.correlation_id, 1, 1)
    assert "payload" not in told
    assert "result" not in told


def test_what_came_of_it_is_in_the_log(server: Server, delivery: Delivery) -> None:
    deliver()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt, delivery.next_at) == (Delivery.DELIVERED, 1, None)
    assert (delivery.response_status, delivery.response_body, delivery.error) == (200, "thank you", "")
    assert delivery.duration_ms
    assert delivery.ended_at
    assert delivery.last_attempt_at
    assert deliver() == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(server: Server, delivery: Delivery, status: int) -> None:
    server.on("/hook", status)

    assert deliver()[0].delivered


@pytest.mark.parametrize("status", [301, 307, 308, 400, 401, 404, 418, 429, 500, 503])
def test_anything_else_is_tried_again(server: Server, delivery: Delivery, status: int) -> None:
    server.on("/hook", status, "no", {"Location": server.on("/elsewhere")})

    assert not deliver()[0].delivered

    delivery.refresh_from_db()
    assert (delivery.status, delivery.response_status, delivery.response_body) == (Delivery.PENDING, status, "no")
    assert 4.9 <= seconds_to_next(delivery) <= 6
    assert [asked.path for asked in server.asked] == ["/hook"]


def test_each_failure_waits_longer_and_the_ninth_is_the_last(
    server: Server,
    delivery: Delivery,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
) -> None:
    server.on("/hook", 500)
    waits = []
    for _ in range(8):
        make_due()
        deliver()
        waits.append(seconds_to_next(delivery))
    assert "failed for good" not in caplog.text
    make_due()
    with django_capture_on_commit_callbacks(execute=True):
        deliver()

    for wait, planned in zip(waits, (5, 30, 120, 600, 3600, 14_400, 43_200, 86_400), strict=True):
        assert planned - 0.1 <= wait <= planned * 1.1 + 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt, delivery.next_at) == (Delivery.FAILED, 9, None)
    assert "a delivery failed for good" in caplog.text
    bodies = {(asked.headers["webhook-id"], asked.body) for asked in server.asked}
    assert len(server.asked) == 9
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("status", "asked", "low", "high"),
    [
        (503, "100", 99, 101),
        (429, "1", 4.9, 6),
        (503, "999999", 3599, 3601),
        (500, "100", 4.9, 6),
        (503, "soon", 4.9, 6),
    ],
)
def test_retry_after_is_obeyed_within_bounds(
    server: Server, delivery: Delivery, status: int, asked: str, low: float, high: float
) -> None:
    server.on("/hook", status, headers={"Retry-After": asked})

    deliver()

    assert low <= seconds_to_next(delivery) <= high


def test_410_turns_the_webhook_off(server: Server, webhook: Subscriber, delivery: Delivery) -> None:
    server.on("/hook", 410)

    deliver()

    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert (webhook.active, webhook.disabled_reason) == (False, "It answered 410 Gone.")
    assert delivery.status == Delivery.FAILED
    make_dead_letter(webhook.org)
    assert Delivery.objects.count() == 1


def test_410_of_a_url_that_was_changed_meanwhile_turns_nothing_off(
    server: Server, webhook: Subscriber, delivery: Delivery
) -> None:
    server.on("/hook", 410)
    (letter,) = take()
    Subscriber.objects.update(target=server.on("/new"))

    note(letter, post(letter, errand(letter)))

    webhook.refresh_from_db()
    assert webhook.active


def test_two_signatures_while_rotating(server: Server, webhook: Subscriber, delivery: Delivery) -> None:
    new, old = new_secret(), new_secret()
    webhook.secret, webhook.previous_secret = sealed(new, webhook.pk), sealed(old, webhook.pk)
    webhook.previous_until = "2100-01-01T00:00:00Z"
    webhook.save()

    deliver()
    Subscriber.objects.update(previous_until="2000-01-01T00:00:00Z")
    make_delivery(webhook)
    deliver()

    rotating, later = server.asked
    Webhook(new).verify(rotating.body, rotating.headers)
    Webhook(old).verify(rotating.body, rotating.headers)
    assert len(later.headers["webhook-signature"].split()) == 1
    Webhook(new).verify(later.body, later.headers)


def test_a_secret_that_cannot_be_read_is_said_and_nothing_is_sent(
    server: Server, delivery: Delivery, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = {"another": b"x" * 32}

    deliver()

    delivery.refresh_from_db()
    assert "ENCRYPTION_KEYS" in delivery.error
    assert (delivery.status, server.hits) == (Delivery.PENDING, 0)


def test_a_receiver_that_drips_is_cut_off(server: Server, delivery: Delivery, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.4

    def drip(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        exchange.drip(b"x", 0.05)

    server.do("/hook", drip)
    settings.WEBHOOK_BODY_MAX_BYTES = 1_000_000
    started = time.monotonic()

    deliver()

    assert time.monotonic() - started < 5
    delivery.refresh_from_db()
    assert (delivery.status, delivery.response_status) == (Delivery.PENDING, None)
    assert "0.4 s" in delivery.error


def test_little_of_a_long_answer_is_kept_and_none_of_it_breaks_the_log(server: Server, delivery: Delivery) -> None:
    server.on("/hook", 500, b"\0\xff" + b"x" * 1_000_000)

    deliver()

    delivery.refresh_from_db()
    assert len(delivery.response_body) == 2_000
    assert delivery.response_body.startswith("\ufffd\ufffdx")


def test_one_that_is_broken_off_by_us_was_no_try(server: Server, delivery: Delivery) -> None:
    (letter,) = take()
    context = errand(letter)
    server.do("/hook", lambda exchange: context.stop(StopReason.DRAIN))

    report = post(letter, context)
    note(letter, report)

    assert report.stopped
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt, delivery.attempts_before) == (Delivery.PENDING, 1, 1)
    server.on("/hook")
    assert deliver()[0].delivered


@pytest.mark.parametrize("told", ["\u2028", '"}', "\U0001f600", "\\u0000", "a" * 500])
def test_whatever_a_job_is_named_the_body_is_the_json_of_it(server: Server, told: str) -> None:
    org = make_org()
    secret = new_secret()
    make_webhook(org, server.on("/hook"), secret=secret)
    make_dead_letter(org, title=told[:200])

    deliver()

    (asked,) = server.asked
    message: Any = Webhook(secret).verify(asked.body, asked.headers)
    assert message == json.loads(asked.body)
    assert message["data"]["job"]["title"] == told[:200]
