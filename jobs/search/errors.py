"""Errors that say the same, as they are shown: the groups, how often each came by the hour, and what it concerns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import Trunc
from django.utils import timezone

from jobs.errors import ErrorGroupNotFound
from jobs.fingerprints import normal
from jobs.models import ErrorCount, ErrorGroup
from orgs.models import Org

MOST_KINDS = 10
# Of a page of groups; more say no more.
MOST_ROWS = 20_000
# The columns that the list may be sorted by, always the greatest first.
SORTS = {"last": "-last_at", "count": "-attempts"}


@dataclass(frozen=True, slots=True)
class Bucket:
    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Kind:
    queue: str
    type: str
    name: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A group with what happened lately."""

    group: ErrorGroup
    trend: list[Bucket]
    kinds: list[Kind] = field(default_factory=list)

    @property
    def pattern(self) -> str:
        return normal(self.group.sample)

    @property
    def lately(self) -> int:
        return sum(bucket.attempts for bucket in self.trend)


def groups(org: Org, *, since: datetime | None = None, type: str = "", queue: str = "") -> "QuerySet[ErrorGroup]":
    found = ErrorGroup.objects.filter(org_id=org.pk)
    if since:
        found = found.filter(last_at__gte=since)
    if named := {name: value for name, value in (("type", type), ("queue", queue)) if value}:
        of_these = ErrorCount.objects.filter(org_id=org.pk, fingerprint=OuterRef("fingerprint"), **named)
        found = found.filter(Exists(of_these))
    return found


def group_of(org: Org, fingerprint: str) -> ErrorGroup:
    """Raises ErrorGroupNotFound."""
    found = ErrorGroup.objects.filter(org_id=org.pk, fingerprint=fingerprint[:64].replace("\0", "")).first()
    if found is None:
        raise ErrorGroupNotFound
    return found


def shown(org: Org, found: Sequence[ErrorGroup], *, days: int = 1) -> list[Shown]:
    """With a bucket an hour over a day, or a bucket a day over more."""
    marks = [group.fingerprint for group in found]
    trends = trends_of(org, marks, days)
    kinds = kinds_of(org, marks, days)
    return [Shown(one, trends[one.fingerprint], kinds.get(one.fingerprint, [])) for one in found]


def trends_of(org: Org, marks: Sequence[str], days: int) -> dict[str, list[Bucket]]:
    step, word = (timedelta(hours=1), "hour") if days == 1 else (timedelta(days=1), "day")
    buckets = 24 if days == 1 else days
    now = timezone.now()
    last = now.replace(hour=now.hour if days == 1 else 0, minute=0, second=0, microsecond=0)
    times = [last - step * back for back in reversed(range(buckets))]
    rows = of_groups(org, marks, times[0]).annotate(at=Trunc("hour", word, tzinfo=now.tzinfo))
    counts = {(row["fingerprint"], row["at"]): row["total"] for row in summed(rows, "fingerprint", "at")}
    return {mark: [Bucket(at, counts.get((mark, at), 0)) for at in times] for mark in marks}


def kinds_of(org: Org, marks: Sequence[str], days: int) -> dict[str, list[Kind]]:
    """What it concerned lately, the most first."""
    rows = of_groups(org, marks, timezone.now() - timedelta(days=max(days, 30)))
    found: dict[str, list[Kind]] = {}
    every = summed(rows, "fingerprint", "queue", "type", "name")
    for row in sorted(every, key=lambda row: -row["total"]):
        of_one = found.setdefault(row["fingerprint"], [])
        if len(of_one) < MOST_KINDS:
            of_one.append(Kind(row["queue"], row["type"], row["name"], row["total"]))
    return found


def of_groups(org: Org, marks: Sequence[str], since: datetime) -> "QuerySet[ErrorCount]":
    return ErrorCount.objects.filter(org_id=org.pk, fingerprint__in=marks, hour__gte=since)


def summed(rows: "QuerySet[ErrorCount]", *names: str) -> list[dict[str, Any]]:
    return list(rows.values(*names).annotate(total=Sum("attempts"))[:MOST_ROWS])
