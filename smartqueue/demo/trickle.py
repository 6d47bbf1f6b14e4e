"""A trickle of real work for the demo organisations, of every type, so that there is something to see.

Nothing leaves the host: the http jobs ask our own web, mail goes to files, the tables and the picture are ours.
"""

import csv
import io
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from jobs.errors import QueueError
from jobs.ids import uuid7
from jobs.models import Artefact, Ready
from jobs.queue import artefacts
from jobs.queue.enqueue import NewJob, Origin, accept, refusal
from orgs.models import Membership, Org
from orgs.roles import Role
from orgs.scope import Scope
from smartqueue.demo.kinds import task

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.5
# More than these in an organisation's queues, and the workers are left to catch up.
ENOUGH_WAITING = 30
COUNTRIES = ("Denmark", "France", "Japan", "Kenya", "Peru")
# Sent again when they expire sooner than this.
FRESH_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Drop:
    """One kind of job that may come. `share` is how many of all."""

    type: str
    name: str
    share: float
    make: Callable[[Random, Mapping[str, str]], dict[str, Any]]
    queue: str = "default"
    urgency: str = ""
    max_attempts: int | None = None
    # What it is about and how urgent it is, is read from it.
    title: str = ""


def health(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return {"url": f"{settings.PUBLIC_URL}/healthz", "expect_status": [200]}


def count_words(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    words = random.choices(("lease", "queue", "job", "retry", "worker"), k=random.randint(50, 800))
    return {"argv": ["/usr/bin/wc", "-w"], "stdin": " ".join(words)}


def primes(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return task("primes", below=random.choice((10_000, 50_000, 100_000, 200_000)))


def flaky(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return task("flaky", succeed_on=2)


def fails(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return task("fail_always", reason="The mail server refused the message.")


def totals(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "source": {"artefact": files["orders.csv"]},
        "steps": [
            {"cast": {"amount": "decimal(12,2)"}},
            {"filter": f"amount > {random.randint(1, 60)}"},
            {"group": {"by": ["country"], "aggregates": {"orders": {"count": "*"}, "total": {"sum": "amount"}}}},
        ],
        "sink": {"artefact": "totals.csv"},
    }


def churn(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "task": "train",
        "data": {"artefact": files["customers.csv"]},
        "target": "left",
        "model": random.choice(("logistic", "decision_tree", "random_forest")),
        "cross_validation": 3,
    }


def thumbnail(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    size = random.choice((64, 128, 256))
    picture = {"url": f"{settings.PUBLIC_URL}/static/sample.png"}
    return {"image": picture, "width": size, "height": size, "fit": "cover", "format": "webp"}


def receipt(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    number = random.randint(1_000, 9_999)
    return {
        "to": ["Vera <vera@demo.invalid>"],
        "subject": f"Your receipt {number}",
        "text": f"Thank you for your order {number} from {random.choice(COUNTRIES)}.\n",
    }


def export(random: Random, files: Mapping[str, str]) -> dict[str, Any]:
    return {"dataset": "jobs", "format": "csv", "gzip": True, "filter": {"status": ["failed"]}}


DROPS = (
    Drop("http", "health check", 20, health, urgency="high"),
    Drop("python", "demo.primes", 20, primes, "batch", "low"),
    Drop("shell", "count words", 14, count_words, title="Weekly word count of the feedback form"),
    Drop("etl", "totals by country", 10, totals, "batch"),
    Drop("email", "send receipts", 10, receipt),
    Drop("image-resize", "thumbnails", 10, thumbnail),
    Drop("python", "demo.flaky", 5, flaky, title="Sync of orders failed: database connection timed out"),
    Drop("ml", "who will leave", 3, churn, "batch", "low"),
    Drop("data-export", "failures of the week", 2, export, "batch", "low"),
    Drop("python", "demo.fail_always", 0.3, fails, max_attempts=2),
)


class Trickle:
    """Enqueues a drop now and then, until told to stop."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.stopping = threading.Event()
        self.files: dict[int, dict[str, str]] = {}

    def run(self, orgs: list[Org]) -> None:
        while not self.stopping.wait(self.random.uniform(0.5, 1.5) * EVERY_SECONDS):
            try:
                self.drop(self.random.choices(orgs, [5, 1][: len(orgs)])[0])
            except Exception:
                # the database may be away: the next may find it
                log.exception("nothing could be dropped")

    def drop(self, org: Org) -> bool:
        """Enqueue one job; False when enough wait already."""
        if Ready.objects.filter(org_id=org.pk)[:ENOUGH_WAITING].count() >= ENOUGH_WAITING:
            return False
        (kind,) = self.random.choices(DROPS, [one.share for one in DROPS])
        new = NewJob(
            type=kind.type,
            name=kind.name,
            queue=kind.queue,
            title=kind.title,
            urgency=kind.urgency,
            max_attempts=kind.max_attempts,
            payload=kind.make(self.random, sent(org)),
        )
        (outcome,) = accept([new], [refusal(new, org)], Origin(org, None, f"demo-{uuid7().hex}", actor="demo"))
        if isinstance(outcome, QueueError):
            log.warning("a drop was refused", extra={"type": kind.type, "why": outcome.detail})
        return not isinstance(outcome, QueueError)


def sent(org: Org) -> dict[str, str]:
    """The ids of the organisation's tables, which are sent where they are missing. Whoever names one keeps it."""
    fresh = Now() + timedelta(seconds=FRESH_SECONDS)
    known = Artefact.objects.for_org(org).sent().filter(name__in=TABLES, expires_at__gt=fresh).order_by("id")
    found = {one.name: str(one.pk) for one in known}
    return {name: found.get(name) or send(org, name, make(Random(name))) for name, make in TABLES.items()}


def send(org: Org, name: str, data: bytes) -> str:
    """As one of its admins would."""
    admin = Membership.objects.filter(org=org, role=Role.ORG_ADMIN).select_related("user").earliest("pk")
    scope = Scope(admin.user, org, admin.role)
    return str(artefacts.send(io.BytesIO(data), name=name, content_type="text/csv", scope=scope).pk)


def orders(random: Random) -> bytes:
    rows = (
        (number, random.choice(COUNTRIES), f"{random.lognormvariate(3, 1):.2f}", random.randint(1, 5))
        for number in range(1, 3_001)
    )
    return table(("order", "country", "amount", "items"), rows)


def customers(random: Random) -> bytes:
    """Who has many complaints and is new leaves more often."""
    rows = []
    for _ in range(600):
        months, complaints = random.randint(1, 60), random.randint(0, 6)
        leaves = random.random() < 1 / (1 + 2.7 ** (months / 10 - complaints))
        rows.append((random.choice(COUNTRIES), months, complaints, "yes" if leaves else "no"))
    return table(("country", "months", "complaints", "left"), rows)


def table(names: tuple[str, ...], rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    return text.getvalue().encode()


TABLES: dict[str, Callable[[Random], bytes]] = {"orders.csv": orders, "customers.csv": customers}
