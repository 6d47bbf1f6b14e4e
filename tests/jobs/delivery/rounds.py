"""Deliveries made in the test's own thread, and time that passes for them."""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from jobs.delivery.letters import Letter, Report
from jobs.delivery.mail import send
from jobs.delivery.post import errand, post
from jobs.models import Delivery
from jobs.queue.deliveries import claim, claim_mail, note, note_mail


def take(slots: int = 100) -> list[Letter]:
    return claim(slots=slots, room={})


def deliver() -> list[Report]:
    """Send all that is due, as a courier would, one after the other."""
    reports = []
    for letter in take():
        report = post(letter, errand(letter))
        note(letter, report)
        reports.append(report)
    return reports


def mail() -> int:
    """The same for mail; how many mails."""
    mails = 0
    while digest := claim_mail():
        note_mail(digest, send(digest))
        mails += 1
    return mails


def seconds_to_next(delivery: Delivery) -> float:
    """From its last try to the next, about."""
    row = Delivery.objects.annotate(wait=F("next_at") - F("last_attempt_at")).get(pk=delivery.pk)
    wait: Any = row.wait  # type: ignore[attr-defined]
    return float(wait.total_seconds())


def make_due(*deliveries: Delivery) -> None:
    """Let the next try of these, or of all, be due now."""
    rows = Delivery.objects.filter(status=Delivery.PENDING)
    (rows.filter(pk__in=[one.pk for one in deliveries]) if deliveries else rows).update(
        next_at=Now() - timedelta(seconds=1)
    )
