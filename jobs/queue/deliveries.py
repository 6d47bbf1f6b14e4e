"""Deliveries on their way: taken to be sent, what came of it, and sent again. Whoever comes late changes nothing."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from jobs.delivery.letters import Digest, Item, Letter, Report
from jobs.delivery.retries import delay_seconds
from jobs.models import Delivery, Subscriber
from jobs.queue import sql
from orgs import audit

log = logging.getLogger(__name__)

# Whoever took something and says nothing for so long, beyond the time that it may take, is given up.
PATIENCE_SECONDS = 45.0
# A mail server is spoken to in several steps, each of which may take the time.
MAIL_STEPS = 10
MOST_IN_A_MAIL = 1_000
CLOSE_BATCH = 1_000
GONE = "It answered 410 Gone."


def claim(*, slots: int, room: Mapping[UUID, int]) -> list[Letter]:
    """Take up to `slots` due deliveries to webhooks; of one webhook WEBHOOK_SLOTS, or what `room` says of it."""
    rows = sql.run(
        "claim_deliveries",
        slots=slots,
        each=settings.WEBHOOK_SLOTS,
        room=json.dumps({str(webhook): most for webhook, most in room.items()}),
        seconds=settings.WEBHOOK_TIMEOUT_SECONDS + PATIENCE_SECONDS,
    )
    return [Letter(**row) for row in rows]


def claim_mail() -> Digest | None:
    """Take what is due for one address, if there is one that may get a mail."""
    rows = sql.run(
        "claim_mail",
        digest_seconds=settings.MAIL_DIGEST_SECONDS,
        most=MOST_IN_A_MAIL,
        seconds=MAIL_STEPS * settings.WEBHOOK_TIMEOUT_SECONDS + PATIENCE_SECONDS,
    )
    if not rows:
        return None
    first = rows[0]
    items = [Item(row.id, row.event, row.data, row.attempt, row.attempts_before) for row in rows]
    return Digest(first.subscriber_id, first.address, first.org, items)


def note(letter: Letter, report: Report) -> bool:
    """Write what came of a try; False when another has taken it since, and nothing was written."""
    if not report.gone:
        return write(letter, report)
    with transaction.atomic():
        noted = write(letter, report)
        if noted:
            turn_off(letter)
    return noted


def note_mail(digest: Digest, report: Report) -> None:
    """The same of each delivery in a mail; those with the same number of tries behind them in one go."""
    alike: dict[tuple[int, int], list[Item]] = {}
    for item in digest.items:
        alike.setdefault((item.attempt, item.attempts_before), []).append(item)
    with transaction.atomic():
        for (attempt, before), items in alike.items():
            rows = Delivery.objects.filter(pk__in=[item.id for item in items], attempt=attempt)
            update(rows, report, attempt - before)
    if not report.delivered:
        log.warning("a mail was not sent", extra={"alert": str(digest.subscriber_id), "why": report.error})


def write(letter: Letter, report: Report) -> bool:
    rows = Delivery.objects.filter(pk=letter.id, attempt=letter.attempt)
    became = update(rows, report, letter.attempt - letter.attempts_before)
    if became is not None:
        transaction.on_commit(lambda: say_tried(letter, report, became))
    return became is not None


def say_tried(letter: Letter, report: Report, became: str) -> None:
    """A line of the log for each try; what the receiver answered may be anything and is not in it."""
    ids = {"correlation_id": letter.correlation_id, "delivery": str(letter.id), "webhook": str(letter.subscriber_id)}
    said = {**ids, "kind": letter.event, "attempt": letter.attempt, "answer": report.status, "why": report.error}
    if became == Delivery.FAILED:
        log.warning("a delivery failed for good", extra=said)
    else:
        log.info("a delivery was tried", extra={**said, "became": str(became)})


def update(rows: QuerySet[Delivery], report: Report, failures: int) -> str | None:
    """What they have become; None when none of them was still ours."""
    became, change = outcome(report, failures)
    done = rows.filter(status=Delivery.PENDING).update(status=became, **change)
    return became if done else None


def outcome(report: Report, failures: int) -> tuple[str, dict[str, Any]]:
    """The status after a try, and what else is to be written."""
    if report.stopped:
        return Delivery.PENDING, {"next_at": Now(), "attempts_before": F("attempts_before") + 1}
    said = {
        "response_status": report.status,
        "response_body": report.body,
        "error": report.error,
        "duration_ms": report.duration_ms,
    }
    over = {**said, "next_at": None, "ended_at": Now()}
    if report.delivered:
        return Delivery.DELIVERED, over
    seconds = None if report.gone else delay_seconds(failures, asked=report.retry_after)
    if seconds is None:
        return Delivery.FAILED, over
    return Delivery.PENDING, {**said, "next_at": Now() + timedelta(seconds=seconds)}


def turn_off(letter: Letter) -> None:
    """The receiver wants no more; unless it is another one by now."""
    same = Subscriber.objects.filter(pk=letter.subscriber_id, target=letter.url, active=True)
    if same.update(active=False, disabled_reason=GONE):
        webhook = Subscriber.objects.select_related("org").get(pk=letter.subscriber_id)
        log.warning("a webhook was turned off", extra={"webhook": str(webhook.pk), "why": GONE})
        audit.record("webhook.disable", org=webhook.org, target=webhook.pk, reason=GONE)


def send_again(deliveries: QuerySet[Delivery]) -> int:
    """Have them sent now, with all their tries anew; how many there were. The id, and what is said, stay."""
    return deliveries.update(status=Delivery.PENDING, next_at=Now(), ended_at=None, attempts_before=F("attempt"))


def close_off(*, batch: int = CLOSE_BATCH) -> bool:
    """The leader's share: what is due for those that were turned off or removed; whether there may be more."""
    (closed,) = sql.run("close_deliveries", batch=batch)
    return bool(closed.deliveries == batch)


def forget_previous_secrets() -> None:
    """Those that sign no more."""
    Subscriber.objects.filter(previous_until__lte=Now()).update(previous_secret="", previous_until=None)


def in_hand(letters: Sequence[Letter]) -> dict[UUID, int]:
    """How many of each webhook."""
    counts: dict[UUID, int] = {}
    for letter in letters:
        counts[letter.subscriber_id] = counts.get(letter.subscriber_id, 0) + 1
    return counts
