"""Charts of what ended over time: how much, how long it waited and ran, and how near predictions were."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from analytics.pictures import Line, Picture
from analytics.queries import Series
from jobs.histograms import ERROR_ZERO, Measure, of, quantile, total
from jobs.sums import OverTime
from jobs.templatetags.dashboard import ms, percent

SHARES = ((0.5, "p50", "done"), (0.95, "p95", "queued"), (0.99, "p99", "failed"))
# Doublings to either side that the histogram of errors shows; what is further off is in its ends.
SIDES = 4


def axis(found: OverTime) -> dict[str, Any]:
    """Along the floor: the whole span, whether anything ended in it or not."""
    places = [one.at for one in found.intervals]
    return {"places": places, "since": places[0], "until": places[-1] + timedelta(seconds=found.bucket_seconds)}


def throughput(found: OverTime) -> Picture:
    done = [one.sums.done for one in found.intervals]
    failed = [one.sums.failed for one in found.intervals]
    said = _("%(done)s attempts done and %(failed)s failed") % {
        "done": f"{sum(done):,}", "failed": f"{sum(failed):,}",
    }  # fmt: skip
    if sum(failed):
        said += ", " + _("%(share)s of all") % {"share": f"{sum(failed) / (sum(done) + sum(failed)):.1%}"}
    lines = [Line(_("done"), "done", done), Line(_("failed"), "failed", failed)]
    return Picture("throughput", _("Throughput"), f"{said}.", "stacked", "count", lines=lines, **axis(found))


def waits(found: OverTime) -> Picture:
    return quantiles(
        found, Measure.WAIT, "waits", _("Wait"), _("waited"),
        _("Nothing has waited in this time: each attempt adds how long its job stood in the queue."),
    )  # fmt: skip


def runs(found: OverTime) -> Picture:
    return quantiles(
        found, Measure.RUN, "runs", _("Run time"), _("ran"),
        _("Nothing was done in this time: each attempt that is done adds how long it ran."),
    )  # fmt: skip


def quantiles(found: OverTime, measure: Measure, name: str, title: str, did: str, empty: str) -> Picture:
    lines = [
        Line(word, tone, [quantile(one.sums.bins, measure, share) for one in found.intervals])
        for share, word, tone in SHARES
    ]
    bins = total(one.sums.bins for one in found.intervals)
    half, most, nearly_all = (quantile(bins, measure, share) for share, _word, _tone in SHARES)
    said = empty if half is None else _(
        "Half %(did)s no longer than %(half)s, 95 in 100 no longer than %(most)s, 99 in 100 no longer than %(all)s."
    ) % {"did": did, "half": ms(half), "most": ms(most), "all": ms(nearly_all)}  # fmt: skip
    return Picture(name, title, said, "lines", "ms", lines=lines, log=True, **axis(found))


def trouble(found: OverTime) -> Picture:
    retried = [one.sums.retried for one in found.intervals]
    dead = [one.sums.dead for one in found.intervals]
    said = _("%(retried)s attempts were retried, and %(dead)s jobs failed for good.") % {
        "retried": f"{sum(retried):,}", "dead": f"{sum(dead):,}",
    }  # fmt: skip
    lines = [Line(_("retried"), "scheduled", retried), Line(_("dead letters"), "failed", dead)]
    return Picture("trouble", _("Retries and dead letters"), said, "stacked", "count", lines=lines, **axis(found))


def error_histogram(found: OverTime) -> Picture:
    """How many runs were off by so much: to the left they took longer than predicted."""
    edge = SIDES * 2
    sides: dict[int, int] = {}
    for one, runs in of(total(each.sums.bins for each in found.intervals), Measure.ERROR).items():
        # two bins together: half a doubling each
        half = min(max((one % 1000 - ERROR_ZERO) // 2, -edge), edge - 1)
        sides[half] = sides.get(half, 0) + runs
    ended = sum(sides.values())
    near = sides.get(-1, 0) + sides.get(0, 0)
    said = _("No run has been compared with its prediction in this time.") if not ended else _(
        "%(share)s of %(runs)s runs were within a factor of 1.4; %(over)s took longer than predicted."
    ) % {
        "share": percent(near / ended), "runs": f"{ended:,}",
        "over": percent(sum(runs for half, runs in sides.items() if half < 0) / ended),
    }  # fmt: skip
    places = [off_by(half / 2) for half in range(-edge, edge)] if ended else []
    values = [sides.get(half, 0) for half in range(-edge, edge)] if ended else []
    return Picture(
        "errors", _("How far predictions were off"), said, "bars", "count", places,
        [Line(_("runs"), "running", values)],
        note=_("Left of ×1 a run took longer than predicted, right of it less; the ends hold what is further off."),
    )  # fmt: skip


def off_by(doublings: float) -> str:
    """log2(predicted / actual) as a factor."""
    return f"×{2**doublings:.2g}"


def depth(found: Series, *, hours: int, now: datetime) -> Picture:
    """Waiting and running jobs over time; nothing where nothing is known."""
    rows = found.buckets
    said = (
        _("Lately %(waiting)s waiting and %(running)s running; at most %(peak)s waited.")
        % {
            "waiting": f"{rows[-1]['queued']:,}", "running": f"{rows[-1]['running']:,}",
            "peak": f"{max(row['queued'] for row in rows):,}",
        }
        if rows
        else _("The leader writes down how many jobs wait and run; it has written nothing in this time.")
    )  # fmt: skip
    lines = [
        Line(_("waiting"), "queued", [row["queued"] for row in rows]),
        Line(_("running"), "running", [row["running"] for row in rows]),
        Line(_("scheduled"), "scheduled", [row["scheduled"] for row in rows]),
    ]
    return Picture(
        "depth", _("Queue depth"), said, "lines", "count", [row["at"] for row in rows], lines,
        since=now - timedelta(hours=hours), until=now,
        empty=_("It samples every few seconds as soon as a job waits. Nothing shows up? A scheduler must run:"
                " manage.py runscheduler"),
    )  # fmt: skip
