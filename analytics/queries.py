"""What an organisation's numbers are. Each question is one bounded statement; nothing counts the job table."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from analytics import sql
from jobs.states import Outcome, Status
from orgs.models import Org

Row = dict[str, Any]

MOST_HOURS, DAY_HOURS = 720, 24
MOST_BUCKETS = 60
HOUR_SECONDS = 3600
STRIDES = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
# Attempts read at most: for a chart, for the summary, for the accuracy.
CHART_BOUND, SUMMARY_BOUND, PREDICTION_POINTS = 50_000, 2_000, 200
DEAD_BOUND, WAITING_BOUND = 1_000, 1_000


def counts(org: Org) -> Row:
    """Exact at the moment of asking."""
    (row,) = sql.run("counts", org_id=org.pk, dead_seconds=settings.WORKER_DEAD_SECONDS)
    known = row["by_status"]
    stored: dict[str, int] = json.loads(known) if isinstance(known, str) else known
    by_status = {str(status): stored.get(status, 0) for status in Status}
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "active_workers": row["active_workers"],
        "queue_depth": by_status[Status.QUEUED],
        "dead_letters": by_status[Status.FAILED],
    }


@dataclass(frozen=True, slots=True)
class Health:
    """`dead_last_hour` stops at DEAD_BOUND. All times are the database's."""

    waiting_since: datetime | None
    dead_last_hour: int
    paused_queues: int
    now: datetime

    @property
    def oldest_waiting_seconds(self) -> float | None:
        return max((self.now - self.waiting_since).total_seconds(), 0.0) if self.waiting_since else None


def health(org: Org) -> Health:
    (row,) = sql.run("health", org_id=org.pk, bound=DEAD_BOUND)
    return Health(**row)


@dataclass(frozen=True, slots=True)
class Unserved:
    """Jobs of these types wait in a queue for a worker that is not there."""

    queue: str
    types: list[str]


def unserved(org: Org) -> list[Unserved]:
    """Seen from the jobs that have waited longest."""
    rows = sql.run("unserved", org_id=org.pk, dead_seconds=settings.WORKER_DEAD_SECONDS, bound=WAITING_BOUND)
    return [Unserved(**row) for row in rows]


def stride_seconds(hours: int) -> int:
    """The length of an interval, so that there are at most MOST_BUCKETS."""
    return next(stride for stride in STRIDES if hours * 3600 <= stride * MOST_BUCKETS)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers per interval, oldest first; `complete` is False where older ones were too many to read."""

    hours: int
    bucket_seconds: int
    buckets: list[Row]
    complete: bool = True


def throughput(org: Org, hours: int) -> Series:
    """Attempts that ended, done or failed, per interval."""
    stride = stride_seconds(hours)
    buckets = math.ceil(hours * 3600 / stride)
    rows = sql.run("throughput", org_id=org.pk, stride_seconds=stride, buckets=buckets, bound=CHART_BOUND)
    complete = all(row.pop("complete") for row in rows)
    return Series(hours, stride, rows, complete)


def depth(org: Org, hours: int) -> Series:
    """Peaks of waiting, running and scheduled jobs per interval; without those of which nothing is known."""
    stride = stride_seconds(hours)
    buckets = math.ceil(hours * 3600 / stride)
    rows = sql.run("depth", org_id=org.pk, stride_seconds=stride, buckets=buckets)
    return Series(hours, stride, known_depths(rows))


def known_depths(rows: Sequence[Row]) -> list[Row]:
    """Zeroes where the leader wrote nothing because all queues were empty; nothing where it did not write at all."""
    known: list[Row] = []
    empty = False
    for row in rows:
        empty_after = row.pop("empty_after")
        if row["queued"] is not None:
            known.append(row)
            empty = empty_after
        elif empty := empty or bool(empty_after):
            known.append({**row, "queued": 0, "running": 0, "scheduled": 0})
    return known


def predictions(org: Org) -> list[Row]:
    """The last runs, newest first: predicted and actual milliseconds."""
    return sql.run("predictions", org_id=org.pk, points=PREDICTION_POINTS)


def accuracy_over_time(org: Org, hours: int) -> Series:
    """How near the predictions came per interval, of an hour or more; without those in which nothing ended."""
    stride = max(stride_seconds(hours), HOUR_SECONDS)
    return Series(hours, stride, sql.run("accuracy", org_id=org.pk, hours=hours, stride_seconds=stride))


def accuracy(points: Sequence[Row]) -> Row | None:
    """How near the predictions were to the runs that succeeded; None when none did."""
    done = [point for point in points if point["outcome"] == Outcome.DONE]
    if not done:
        return None
    pairs = [(max(point["predicted_ms"], 0.1), max(point["runtime_ms"], 0.1)) for point in done]
    errors = [abs(predicted - actual) / actual for predicted, actual in pairs]
    factors = [abs(math.log2(predicted / actual)) for predicted, actual in pairs]
    return {
        "runs": len(done),
        "mape": statistics.fmean(errors),
        "mdape": statistics.median(errors),
        "malr": statistics.fmean(factors),
        "within_2x": sum(factor <= 1 for factor in factors) / len(factors),
    }


def summary(org: Org, hours: int) -> Row:
    """The counts, and what the newest attempts took, waited and came to."""
    total, *by_type = sql.run("summary", org_id=org.pk, hours=hours, bound=SUMMARY_BOUND)
    counted = counts(org)
    done, failed = (counted["by_status"][status] for status in (Status.DONE, Status.FAILED))
    return {
        "counts": counted,
        "success_rate": done / (done + failed) if done + failed else None,
        "attempts_last_hour": total["last_hour"],
        "wait_mean_seconds": total["wait_mean_seconds"],
        "wait_p95_seconds": total["wait_p95_seconds"],
        "run_p95_ms": total["run_p95_ms"],
        "measured": {
            "hours": hours,
            "attempts": total["attempts"],
            "since": total["since"],
            "complete": total["attempts"] < SUMMARY_BOUND,
        },
        "by_type": [{**row, "success_rate": row["done"] / row["attempts"]} for row in by_type],
    }
