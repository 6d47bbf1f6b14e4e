"""What the leader has summed up (queue/rollups.py), read: over time, and by queue, type or kind.

Nothing here reads an attempt or a job: what it costs depends on how long the span is, not on how much ran in it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from jobs.histograms import Bins, Measure, quantile
from jobs.models.rollup import HOUR, MINUTE
from jobs.queue import sql
from orgs.models import Org

MOST_BUCKETS = 60
STRIDES = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
MOST_ROWS = 100
NUMBERS = (
    "done", "failed", "cancelled", "retried", "dead", "created", "waited", "wait_ms", "run_ms", "predicted_ms",
    "judged", "log2_error", "relative_error", "ranged", "in_range",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sums:
    """Of an interval, a queue, a type or a kind. Times of runs and predictions are of attempts that are done."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    dead: int = 0
    created: int = 0
    waited: int = 0
    wait_ms: float = 0
    run_ms: float = 0
    predicted_ms: float = 0
    judged: int = 0
    log2_error: float = 0
    relative_error: float = 0
    ranged: int = 0
    in_range: int = 0
    bins: Bins = field(default_factory=dict)

    @property
    def ended(self) -> int:
        return self.done + self.failed

    @property
    def success_rate(self) -> float | None:
        return self.done / self.ended if self.ended else None

    @property
    def coverage(self) -> float | None:
        """Share of the runs within p10 to p90 of their prediction."""
        return self.in_range / self.ranged if self.ranged else None

    @property
    def mape(self) -> float | None:
        return self.relative_error / self.judged if self.judged else None

    @property
    def wait_mean_ms(self) -> float | None:
        return self.wait_ms / self.waited if self.waited else None

    def wait(self, share: float) -> float | None:
        """Milliseconds that this share of the attempts did not wait longer than."""
        return quantile(self.bins, Measure.WAIT, share)

    def run(self, share: float) -> float | None:
        return quantile(self.bins, Measure.RUN, share)

    def predicted(self, share: float) -> float | None:
        return quantile(self.bins, Measure.PREDICTED, share)

    @property
    def median_error(self) -> float | None:
        return self.error(0.5)

    def error(self, share: float) -> float | None:
        """The |log2(predicted / actual)| that this share of the runs is not beyond."""
        sides: dict[int, int] = {}
        for one, count in self.bins.items():
            place = one - Measure.ERROR * 1000
            if 0 <= place < 1000:
                # both sides as that above 0
                above = one if place >= 500 else Measure.ERROR * 1000 + 999 - place
                sides[above] = sides.get(above, 0) + count
        return quantile(sides, Measure.ERROR, share)


@dataclass(frozen=True, slots=True)
class Interval:
    at: datetime
    sums: Sums


@dataclass(frozen=True, slots=True)
class OverTime:
    """Oldest first, without gaps."""

    hours: int
    bucket_seconds: int
    intervals: list[Interval]


@dataclass(frozen=True, slots=True)
class Group:
    """What the sums are of: empty where all are taken together. `since` is the beginning of the first interval."""

    queue: str
    type: str
    name: str
    since: datetime | None
    sums: Sums

    @property
    def predicted_p50(self) -> float | None:
        return self.sums.predicted(0.5)

    @property
    def run_p50(self) -> float | None:
        return self.sums.run(0.5)

    @property
    def run_p95(self) -> float | None:
        return self.sums.run(0.95)

    @property
    def wait_p95(self) -> float | None:
        return self.sums.wait(0.95)


def stride_seconds(hours: int) -> int:
    """The length of an interval, so that there are at most MOST_BUCKETS."""
    return next(stride for stride in STRIDES if hours * 3600 <= stride * MOST_BUCKETS)


def over_time(org: Org, hours: int, *, queue: str = "", type: str = "", name: str = "") -> OverTime:
    stride = stride_seconds(hours)
    rows = sql.run(
        "sums_over_time",
        org_id=org.pk,
        stride_seconds=stride,
        buckets=math.ceil(hours * 3600 / stride),
        seconds=HOUR if stride >= HOUR else MINUTE,
        narrowed=bool(queue or type or name),
        queue=queue,
        type=type,
        kind=name,
    )
    return OverTime(hours, stride, [Interval(row["at"], sums_in(row)) for row in rows])


def by(what: str, org: Org, hours: int, *, queue: str = "", type: str = "") -> list[Group]:
    """By `queue`, `type` or `kind`, the busiest first, at most MOST_ROWS."""
    rows = sql.run(
        "sums_of",
        by=what,
        org_id=org.pk,
        hours=hours,
        minute_days=settings.ROLLUP_MINUTE_DAYS,
        queue=queue,
        type=type,
        rows=MOST_ROWS,
    )
    return [Group(row["queue"], row["type"], row["name"], row["since"], sums_in(row)) for row in rows]


def in_all(org: Org, hours: int) -> Group:
    found = by("all", org, hours)
    return found[0] if found else Group("", "", "", None, Sums())


def sums_in(row: Mapping[str, Any]) -> Sums:
    if row["done"] is None:
        return Sums()
    bins = dict(zip(row["bins"] or (), row["counts"] or (), strict=True))
    return Sums(**{name: row[name] for name in NUMBERS}, bins=bins)


@dataclass(frozen=True, slots=True)
class KindHistory:
    """What has come of jobs like one: ends by interval, and the median run time over all of it."""

    hours: int
    ended: list[int]
    done: int
    failed: int
    run_p50_ms: float | None

    @property
    def ended_sum(self) -> int:
        return sum(self.ended)


def history_of(org: Org, type: str, name: str, hours: int = 24) -> KindHistory:
    """For the page of a job: how its kind has done lately."""
    sums = [one.sums for one in over_time(org, hours, type=type, name=name).intervals]
    bins: dict[int, int] = {}
    for each in sums:
        for one, count in each.bins.items():
            bins[one] = bins.get(one, 0) + count
    done, failed = sum(one.done for one in sums), sum(one.failed for one in sums)
    return KindHistory(hours, [one.ended for one in sums], done, failed, quantile(bins, Measure.RUN, 0.5))


def ended_by_queue(org: Org) -> dict[str, list[int]]:
    """Attempts that ended in each queue, by the minute, over the last hour."""
    rows = sql.run("ended_by_queue", org_id=org.pk, minutes=60)
    return {row["queue"]: row["ended"] for row in rows}
