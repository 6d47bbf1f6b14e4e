"""What an address is told: one mail for all that has happened since the last."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from jobs.delivery.letters import Digest, Item, Report
from jobs.models import TEST_EVENT, EventType

# Beyond these they are only counted.
MOST_SHOWN = 50
WORDS = {"job.done": "done", "job.failed": "failed for good", "job.cancelled": "cancelled"}


def send(digest: Digest) -> Report:
    """Raises nothing that belongs to the mail server or the way to it."""
    started = time.monotonic()
    error = ""
    try:
        # Django's own default waits for ever
        with get_connection(timeout=settings.WEBHOOK_TIMEOUT_SECONDS) as connection:
            written(digest, connection).send()
    except (OSError, ValueError) as trouble:  # SMTPException is an OSError
        error = f"{type(trouble).__name__}: {trouble}"[:500].replace("\0", "\ufffd")
    return Report(delivered=not error, error=error, duration_ms=(time.monotonic() - started) * 1_000)


def written(digest: Digest, connection: Any) -> EmailMessage:
    return EmailMessage(
        subject=subject(digest),
        body="\n".join(lines(digest)),
        to=[digest.address],
        # one thread for a mail reader, and no answer from those that are on holiday
        headers={"Auto-Submitted": "auto-generated", "X-SmartQueue-Deliveries": str(len(digest.items))},
        connection=connection,
    )


def subject(digest: Digest) -> str:
    jobs = [item for item in digest.items if item.event != TEST_EVENT]
    alerts = [item for item in jobs if "alert" in item.data]
    if alerts:
        raised = alerts[-1].event == EventType.ALERT_RAISED
        more = f", and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        about = one_line(alerts[-1].data["alert"]["rule"], 80)
        return f"[SmartQueue] {one_line(digest.org, 80)}: {'ALERT' if raised else 'over'}: {about}{more}"
    what = f"{len(jobs)} job{'s' if len(jobs) != 1 else ''} ended" if jobs else "a test"
    if jobs and all(item.event == "job.failed" for item in jobs):
        what = f"{len(jobs)} dead letter{'s' if len(jobs) != 1 else ''}"
    return f"[SmartQueue] {one_line(digest.org, 80)}: {what}"


def lines(digest: Digest) -> Iterator[str]:
    for item in digest.items[:MOST_SHOWN]:
        yield from paragraph(item)
        yield ""
    if (more := len(digest.items) - MOST_SHOWN) > 0:
        yield f"And {more} more."
        yield ""
    yield f"You get this because {urlsplit(settings.PUBLIC_URL).netloc} has a mail alert for {digest.address}."
    yield "An org_admin of the organisation can remove it."


def paragraph(item: Item) -> Iterator[str]:
    job = item.data.get("job")
    if "alert" in item.data:
        yield from about_alert(item.data["alert"])
        return
    if job is None:
        yield "This is a test: mails to this address arrive."
        return
    name, what, where = (one_line(job[key], 200) for key in ("title" if job["title"] else "name", "type", "queue"))
    yield f"{name} ({what}, queue {where}): {WORDS[item.event]}, attempt {job['attempt']}"
    if why := ": ".join(text for text in (job["error_type"], job["error"]) if text):
        yield f"  {one_line(why, 300)}"
    yield f"  {settings.PUBLIC_URL}/jobs/{job['id']}/"


def about_alert(alert: dict[str, Any]) -> Iterator[str]:
    name, where = one_line(alert["rule"], 64), one_line(alert["told"], 300)
    if alert["cleared_at"]:
        yield f"Over: {name}, since {alert['raised_at']} until {alert['cleared_at']}"
    else:
        yield f"ALERT: {name}, since {alert['raised_at']}"
    figures = f"  {words_of(alert['kind'], alert['worst'])}; it is raised from {alert['threshold']:g} on"
    yield figures + (f" ({where})" if where else "")
    yield f"  {settings.PUBLIC_URL}/alerts/"


def words_of(kind: str, value: float) -> str:
    """What a rule measured, as people say it. Short and English, as all of a mail."""
    return {
        "dead_letters": f"{value:g} dead letters",
        "latency": f"a job has waited {value:.0f} s",
        "no_worker": f"a job has waited {value:.0f} s for a worker that takes it",
        "cron_missed": f"{value:g} times of schedules were missed",
        "error_rate": f"{value:.0f} % of attempts failed",
    }.get(kind, f"{value:g}")


def one_line(text: str, most: int) -> str:
    """Jobs name themselves: no line break of theirs makes a line, or a header, of ours."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:most]
