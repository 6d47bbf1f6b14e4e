"""What an organisation's numbers are. Each question is one bounded statement; nothing counts jobs, or attempts."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from analytics import sql
from analytics.pool import leading
from jobs import sums
from jobs.states import Outcome, Status
from jobs.sums import Group, Sums, stride_seconds
from orgs.models import Org

Row = dict[str, Any]

MOST_HOURS, DAY_HOURS = 720, 24
HOUR_SECONDS = 3600
# Attempts read at most, for what shows each by itself.
PREDICTION_POINTS = 200
ATTEMPT_DOTS, ATTEMPTS_READ = 1_000, 20_000
MOST_MARKS = 20
MARKED = ("queue.pause", "queue.resume", "org.suspend", "org.resume")
DEAD_BOUND = 1_000
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
GROUPS = ("type", "kind", "queue")


def counts(org: Org) -> Row:
    """Exact at the moment of asking."""
    (row,) = sql.run("counts", org_id=org.pk, dead_seconds=settings.WORKER_DEAD_SECONDS)
    return counted(row)


def counted(row: Row) -> Row:
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


@dataclass(frozen=True, slots=True)
class Pulse:
    """What goes on in an organisation at a moment. `unserved` is seen from the jobs that have waited longest."""

    counts: Row
    health: Health
    unserved: list[Unserved]
    leader: Row


def pulse(org: Org) -> Pulse:
    (row,) = sql.run(
        "pulse",
        org_id=org.pk,
        dead_seconds=settings.WORKER_DEAD_SECONDS,
        bound=DEAD_BOUND,
    )
    return Pulse(
        counts=counted(row["counts"]),
        health=Health(**timed(row["health"], "waiting_since", "now")),
        unserved=[Unserved(**one) for one in row["unserved"]],
        leader=leading(row["leader"] and timed(row["leader"], "elected_at", "beat_at", "ended_at")),
    )


def timed(row: Row, *names: str) -> Row:
    """With these as times, which JSON has as text."""
    return row | {name: datetime.fromisoformat(row[name]) for name in names if row[name] is not None}


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers per interval, oldest first."""

    hours: int
    bucket_seconds: int
    buckets: list[Row]


def throughput(org: Org, hours: int, *, queue: str = "", type: str = "") -> Series:
    """Attempts that ended and jobs that came, per interval, and how long they waited and ran."""
    found = sums.over_time(org, hours, queue=queue, type=type)
    rows = [{"at": one.at, **flow(one.sums), **times(one.sums)} for one in found.intervals]
    return Series(hours, found.bucket_seconds, rows)


def flow(of: Sums) -> Row:
    return {"done": of.done, "failed": of.failed, "retried": of.retried, "dead": of.dead, "created": of.created}


def times(of: Sums) -> Row:
    """Waits of all attempts in seconds, runs of those that are done in milliseconds."""
    waits = {f"wait_{word}_seconds": in_seconds(of.wait(share)) for word, share in QUANTILES.items()}
    return waits | {f"run_{word}_ms": of.run(share) for word, share in QUANTILES.items()}


def in_seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def depth(org: Org, hours: int, *, queue: str = "") -> Series:
    """Peaks of waiting, running and scheduled jobs per interval; without those of which nothing is known."""
    stride = stride_seconds(hours)
    buckets = math.ceil(hours * 3600 / stride)
    rows = sql.run("depth", org_id=org.pk, stride_seconds=stride, buckets=buckets, queue=queue)
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


def attempts(org: Org, hours: int, *, queue: str = "", type: str = "") -> list[Row]:
    """The newest that ended, one by one, oldest first."""
    return sql.run(
        "attempts", org_id=org.pk, hours=hours, queue=queue, type=type, attempts=ATTEMPT_DOTS, read=ATTEMPTS_READ
    )


def marks(org: Org, hours: int) -> list[Row]:
    """What may explain a bend in a chart: `what` is an act of the trail, `model` or `release`."""
    return sql.run("marks", org_id=org.pk, hours=hours, actions=list(MARKED), marks=MOST_MARKS)


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
    """The counts, and what attempts took, waited and came to."""
    total = sums.in_all(org, hours)
    counted = counts(org)
    done, failed = (counted["by_status"][status] for status in (Status.DONE, Status.FAILED))
    return {
        "counts": counted,
        "success_rate": done / (done + failed) if done + failed else None,
        "attempts_last_hour": sums.in_all(org, 1).sums.ended,
        "wait_mean_seconds": in_seconds(total.sums.wait_mean_ms),
        **times(total.sums),
        "measured": {"hours": hours, "attempts": total.sums.ended, "since": total.since, "complete": True},
        **{f"by_{what}": [group(one) for one in sums.by(what, org, hours) if one.sums.ended] for what in GROUPS},
    }


def group(one: Group) -> Row:
    return {
        "queue": one.queue,
        "type": one.type,
        "name": one.name,
        "attempts": one.sums.ended,
        "done": one.sums.done,
        "success_rate": one.sums.success_rate,
        "predicted_ms": one.sums.predicted(0.5),
        "actual_ms": one.sums.run(0.5),
        **times(one.sums),
    }
