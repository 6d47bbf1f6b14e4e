"""Counters and histograms of jobs: what has happened since the beginning, as the leader counts it (queue/rollups.py).

They are the same whichever process is asked, and neither a restart nor a deletion lowers them. No query of these reads
a job.
"""

from collections.abc import Iterable, Sequence

from prometheus_client.core import Metric

from jobs.handlers import registry
from jobs.histograms import BINS_PER_DOUBLING, ZERO, Bins, Measure, of, total
from jobs.metrics.families import counter, counters, histograms
from jobs.models import Total

# Bounds, as powers of two of a millisecond, from 8 ms to 70 minutes: between two of them there is no bin.
POWERS = range(3, 23)
# By type every second of them: each is a series.
FEWER_POWERS = range(4, 23, 2)

Buckets = list[tuple[str, float]]


def totals() -> Iterable[Metric]:
    known = {each.type: each for each in Total.objects.all()}
    names = sorted({*registry.types(), *known} - {Total.OTHER})
    rows = [known.get(name) or nothing(name) for name in [*names, Total.OTHER]]
    yield from counts(rows)
    yield from times(rows)


def counts(rows: Sequence[Total]) -> Iterable[Metric]:
    ended = "Jobs that came to an end, by how: done, failed (for good) or cancelled."
    by = ["job_type"]
    yield counters("jobs_created", "Jobs that were submitted.", by, (([each.type], each.created) for each in rows))
    yield counters(
        "jobs_completed",
        ended,
        ["job_type", "status"],
        (
            ([each.type, status], number)
            for each in rows
            for status, number in (("done", each.done), ("failed", each.dead), ("cancelled", each.cancelled))
        ),
    )
    failed = "Attempts that failed: in error, over their time, crashed, or lost with their worker."
    yield counters("jobs_failed", failed, by, (([each.type], each.failed) for each in rows))
    retried = "Failed attempts whose job is tried again."
    yield counters("jobs_retried", retried, by, (([each.type], each.retried) for each in rows))
    dead = "Jobs that failed for good, and are kept for a person."
    yield counters("jobs_sent_to_dlq", dead, by, (([each.type], each.dead) for each in rows))
    replayed = "Jobs that had failed for good and were sent back."
    yield counters("jobs_replayed", replayed, by, (([each.type], each.replayed) for each in rows))
    lost = "Leases that ran out and were taken back: their worker had died or hung."
    yield counter("leases_reclaimed", lost, sum(each.lost for each in rows))


def times(rows: Sequence[Total]) -> Iterable[Metric]:
    bins = total(bins_of(each) for each in rows)
    yield histograms(
        "job_duration_seconds",
        "How long jobs ran in the attempt that did them.",
        ["job_type"],
        (([each.type], buckets(bins_of(each), Measure.RUN, FEWER_POWERS), each.run_ms / 1000) for each in rows),
    )
    yield histograms(
        "job_processing_duration_seconds",
        "How long attempts ran that came to an end of their own: done, in error, or over their time.",
        [],
        [([], buckets(bins, Measure.PROCESSING, POWERS), sum(each.processing_ms for each in rows) / 1000)],
    )
    yield histograms(
        "job_wait_seconds",
        "How long jobs waited for an attempt, from when they were queued.",
        [],
        [([], buckets(bins, Measure.WAIT, POWERS), sum(each.wait_ms for each in rows) / 1000)],
    )


def buckets(bins: Bins, measure: Measure, powers: range) -> Buckets:
    """(bound in seconds, how many are not beyond it), the last of them +Inf."""
    known = of(bins, measure)
    found: Buckets = []
    for power in powers:
        first_beyond = measure * 1000 + ZERO + power * BINS_PER_DOUBLING
        found.append((str(2**power / 1000), sum(count for one, count in known.items() if one < first_beyond)))
    return [*found, ("+Inf", sum(known.values()))]


def bins_of(row: Total) -> Bins:
    return dict(zip(row.bins, row.counts, strict=True))


def nothing(name: str) -> Total:
    """Of a type that has not run. Its series begin before it does: else its first job were not one more than none."""
    return Total(
        type=name, created=0, done=0, dead=0, cancelled=0, replayed=0, failed=0, retried=0, lost=0,
        wait_ms=0, run_ms=0, processing_ms=0, bins=[], counts=[],
    )  # fmt: skip
