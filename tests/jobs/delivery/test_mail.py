"""Mail alerts: one digest for what happened, not too often, never lost."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail as outbox
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.delivery.letters import Digest, Item
from jobs.delivery.mail import MOST_SHOWN, lines, one_line, subject
from jobs.ids import uuid7
from jobs.models import Delivery, Subscriber
from orgs.models import Org
from tests.factories import make_alert, make_dead_letter, make_done, make_org, make_webhook
from tests.jobs.delivery.rounds import mail, make_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def minute_passes() -> None:
    Subscriber.objects.update(mailed_at=Now() - timedelta(seconds=61))


def test_a_dead_letter_is_mailed_with_its_reason_and_a_link(org: Org, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://queue.example.com"
    make_alert(org)
    make_done(org)
    job = make_dead_letter(org, title="Nightly report")

    assert mail() == 1

    (sent,) = outbox.outbox
    assert sent.to == ["oncall@example.com"]
    assert sent.subject == "[SmartQueue] Acme: 1 dead letter"
    assert "Nightly report (python, queue default): failed for good, attempt 1" in sent.body
    assert "ValueError: broken" in sent.body
    assert f"https://queue.example.com/jobs/{job.pk}/" in sent.body
    assert Delivery.objects.get().status == Delivery.DELIVERED


def test_many_are_one_mail_and_the_next_comes_a_minute_later(org: Org) -> None:
    make_alert(org)
    for _ in range(3):
        make_dead_letter(org)
    assert mail() == 1
    for _ in range(2):
        make_dead_letter(org)

    assert mail() == 0
    minute_passes()
    assert mail() == 1

    assert [sent.subject.rpartition(": ")[2] for sent in outbox.outbox] == ["3 dead letters", "2 dead letters"]


def test_each_address_has_its_own_digest_and_another_organisation_none(org: Org) -> None:
    make_alert(org, "a@example.com")
    make_alert(org, "b@example.com", events=["job.done", "job.failed"])
    make_alert(make_org("rival"), "c@example.com", events=["job.done", "job.failed"])
    make_done(org)
    make_dead_letter(org)

    mail()

    assert {sent.to[0]: sent.subject.rpartition(": ")[2] for sent in outbox.outbox} == {
        "a@example.com": "1 dead letter",
        "b@example.com": "2 jobs ended",
    }


def test_a_mail_server_that_fails_loses_nothing(org: Org, settings: Settings, tmp_path: Path) -> None:
    make_alert(org)
    job = make_dead_letter(org)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    mail()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempt) == (Delivery.PENDING, 1)
    assert "ConnectionRefusedError" in delivery.error

    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "sent")
    minute_passes()
    make_due()
    assert mail() == 1

    (written,) = (tmp_path / "sent").iterdir()
    assert str(job.pk) in written.read_text()
    assert Delivery.objects.get().status == Delivery.DELIVERED


def test_a_dead_letter_reaches_a_webhook_and_a_mail(org: Org) -> None:
    make_alert(org)
    make_webhook(org)
    make_dead_letter(org)

    assert mail() == 1

    told = dict(Delivery.objects.values_list("subscriber__kind", "status"))
    assert told == {"mail": Delivery.DELIVERED, "webhook": Delivery.PENDING}


def test_one_that_was_turned_off_gets_none(org: Org) -> None:
    make_alert(org)
    make_dead_letter(org)
    Subscriber.objects.update(active=False)

    assert mail() == 0
    assert outbox.outbox == []


def item(**fields: object) -> Item:
    job = {
        "id": "1",
        "type": "python",
        "name": "n",
        "title": "",
        "queue": "q",
        "attempt": 1,
        "error_type": "",
        "error": "",
    }
    return Item(uuid7(), "job.failed", {"job": {**job, **fields}}, 1, 0)


def test_no_job_writes_a_line_or_a_header_of_ours() -> None:
    evil = "x\r\nBcc: victim@example.com\u2028y\x1b[2J"
    digest = Digest(uuid7(), "a@example.com", evil, [item(title=evil, error=evil)])

    assert "\n" not in subject(digest)
    assert "\r" not in subject(digest)
    assert all(line.isprintable() for line in lines(digest))
    assert not any(line.startswith("Bcc") for line in lines(digest))
    assert one_line("a" * 500, 80) == "a" * 80


def test_of_very_many_the_rest_is_counted() -> None:
    digest = Digest(uuid7(), "a@example.com", "Acme", [item() for _ in range(MOST_SHOWN + 7)])

    assert "And 7 more." in list(lines(digest))
    assert subject(digest).endswith("57 dead letters")
