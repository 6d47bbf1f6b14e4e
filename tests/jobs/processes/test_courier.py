"""Couriers: many deliveries at a time, and a slow receiver is nobody's matter but his own."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from jobs.delivery.letters import Letter, Report
from jobs.models import Delivery, Subscriber
from jobs.processes import courier as courier_module
from jobs.processes.courier import Courier
from tests.eventually import eventually
from tests.factories import make_alert, make_dead_letter, make_delivery, make_org, make_webhook
from tests.jobs.delivery.rounds import make_due
from tests.jobs.handlers.server import Exchange, Server, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


@pytest.fixture
def start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Courier]]:
    settings.DELIVERY_POLL_SECONDS = 0.05
    monkeypatch.setattr(courier_module, "RECOVERY_SECONDS", 0.05)
    monkeypatch.setattr(courier_module, "GRACE_SECONDS", 0.5)
    started: list[Courier] = []

    def start() -> Courier:
        started.append(Courier())
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()
        assert not one.is_alive()


def states(webhook: Subscriber) -> list[str]:
    return list(Delivery.objects.filter(subscriber=webhook).values_list("status", flat=True))


def test_what_is_due_is_delivered(server: Server, start: Callable[[], Courier]) -> None:
    webhook = make_webhook(make_org(), server.on("/hook"))
    for _ in range(20):
        make_delivery(webhook)
    start()

    eventually(lambda: states(webhook) == ["delivered"] * 20, within_seconds=30)

    assert len({asked.headers["webhook-id"] for asked in server.asked}) == server.hits == 20


def test_a_slow_receiver_holds_up_nobody_else(server: Server, start: Callable[[], Courier]) -> None:
    org = make_org()
    gate, inside = threading.Event(), threading.Semaphore(0)

    def wait(exchange: Exchange) -> None:
        inside.release()
        gate.wait(30)
        exchange.answer(200, b"", {})

    slow, quick = make_webhook(org, server.do("/slow", wait)), make_webhook(org, server.on("/quick"))
    for _ in range(50):
        make_delivery(slow)
    for _ in range(10):
        make_delivery(quick)
    start()

    try:
        eventually(lambda: states(quick) == ["delivered"] * 10, within_seconds=20)
        for _ in range(4):
            assert inside.acquire(timeout=10)
        # its share, and no more
        assert not inside.acquire(timeout=0.5)
        assert states(slow) == ["pending"] * 50
    finally:
        gate.set()
    eventually(lambda: states(slow) == ["delivered"] * 50, within_seconds=30)


def test_one_that_does_not_answer_gets_one_request_at_a_time() -> None:
    webhook, other = make_webhook(make_org()), make_webhook(make_org())
    letters = [letter_of(make_delivery(webhook)) for _ in range(2)]
    courier = Courier()

    courier.landed(letters[0], Report(error="No whole response within 15 s."))
    assert courier.room() == {webhook.pk: 1}
    courier.landed(letter_of(make_delivery(other)), Report(status=500))
    assert courier.room() == {webhook.pk: 1}
    courier.landed(letters[1], Report(delivered=True, status=200))
    assert courier.room() == {}


def letter_of(delivery: Delivery) -> Letter:
    (letter,) = [one for one in courier_module.claim(slots=100, room={}) if one.id == delivery.pk]
    return letter


def test_two_couriers_deliver_each_once(server: Server, start: Callable[[], Courier]) -> None:
    org = make_org()
    webhooks = [make_webhook(org, server.on(f"/hook{number}")) for number in range(5)]
    for webhook in webhooks:
        for _ in range(20):
            make_delivery(webhook)
    start()
    start()

    eventually(lambda: Delivery.objects.filter(status="delivered").count() == 100, within_seconds=40)

    assert len({asked.headers["webhook-id"] for asked in server.asked}) == server.hits == 100


def test_one_that_dies_between_sending_and_writing_means_a_repeat_with_the_same_id(
    server: Server, start: Callable[[], Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(make_org(), server.on("/hook"))
    make_delivery(webhook)
    dead = Courier()
    # it sends, and nothing of it is ever written
    dead.send_letters()
    eventually(lambda: server.hits == 1)
    assert states(webhook) == ["pending"]
    start()
    make_due()

    eventually(lambda: states(webhook) == ["delivered"])

    first, second = server.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    dead.write()
    assert Delivery.objects.get().attempt == 2


def test_what_could_not_be_written_for_a_while_is_written_later(
    server: Server, start: Callable[[], Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(make_org(), server.on("/hook"))
    failures = iter(range(3))
    note = courier_module.note

    def unwilling(letter: Letter, report: Report) -> bool:
        if next(failures, None) is not None:
            raise OperationalError("away")
        return note(letter, report)

    monkeypatch.setattr(courier_module, "note", unwilling)
    make_delivery(webhook)
    start()

    eventually(lambda: states(webhook) == ["delivered"])
    assert server.hits == 1


def test_a_fault_of_ours_is_a_failed_try(
    server: Server, start: Callable[[], Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Report:
        raise RuntimeError("a bug")

    monkeypatch.setattr(courier_module, "post", broken)
    webhook = make_webhook(make_org(), server.on("/hook"))
    delivery = make_delivery(webhook)
    start()

    eventually(lambda: Delivery.objects.exclude(error="").exists())
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("pending", "A fault of ours: RuntimeError.")


def test_told_to_stop_it_lets_a_request_end_and_breaks_off_a_hanging_one(
    server: Server, start: Callable[[], Courier]
) -> None:
    org = make_org()
    inside = threading.Event()

    def hang(exchange: Exchange) -> None:
        inside.set()
        server.closing.wait(30)

    hanging = make_webhook(org, server.do("/hang", hang))
    make_delivery(hanging)
    courier = start()
    assert inside.wait(10)
    began = time.monotonic()

    courier.stop()

    assert time.monotonic() - began < 4
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error, delivery.attempts_before) == ("pending", "", 1)


def test_mail_is_sent_too(start: Callable[[], Courier], mailoutbox: list[object]) -> None:
    alert = make_alert(make_org())
    make_delivery(alert)
    start()

    eventually(lambda: states(alert) == ["delivered"])
    assert len(mailoutbox) == 1


def test_a_dead_letter_is_told_to_a_webhook_and_in_a_file_of_mail(
    server: Server, start: Callable[[], Courier], settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    org = make_org()
    webhook, alert = make_webhook(org, server.on("/hook"), events=["job.failed"]), make_alert(org)
    start()

    job = make_dead_letter(org, title="Nightly report")

    eventually(lambda: states(webhook) == states(alert) == ["delivered"])
    assert json.loads(server.asked[0].body)["data"]["job"]["id"] == str(job.pk)
    (written,) = tmp_path.iterdir()
    assert "Nightly report" in written.read_text()
    assert f"/jobs/{job.pk}/" in written.read_text()
