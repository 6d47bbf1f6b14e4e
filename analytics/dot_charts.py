"""Charts of single attempts, a dot each: when they ended and how long they ran, and what had been predicted."""

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from analytics.pictures import Line, Picture
from jobs.states import Outcome
from jobs.templatetags.dashboard import ms

Row = dict[str, Any]
FAILED = (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.LOST)
# The least that a logarithmic axis shows.
LEAST_MS = 0.1


def shown(runtime_ms: float) -> float:
    return max(runtime_ms, LEAST_MS)


def split(rows: Sequence[Row]) -> list[Line]:
    """Run times by how the attempts ended; told apart by shape too."""

    def those(*outcomes: str) -> list[float | None]:
        return [shown(row["runtime_ms"]) if row["outcome"] in outcomes else None for row in rows]

    lines = [
        Line(_("done"), "done", those(Outcome.DONE)),
        Line(_("failed"), "failed", those(*FAILED), diamond=True),
        Line(_("cancelled or given back"), "cancelled", those(Outcome.CANCELLED, Outcome.RELEASED)),
    ]
    return lines if any(value is not None for value in lines[2].values) else lines[:2]


def links(rows: Sequence[Row]) -> list[str]:
    return [f"/jobs/{row['job_id']}/" for row in rows]


def run_times(rows: Sequence[Row], *, hours: int, now: datetime) -> Picture:
    """Of the newest attempts, oldest first."""
    lines = split(rows)
    failed = sum(value is not None for value in lines[1].values)
    said = _("The last %(attempts)s attempts, %(failed)s of which failed; the longest ran %(longest)s.") % {
        "attempts": f"{len(rows):,}", "failed": f"{failed:,}",
        "longest": ms(max(row["runtime_ms"] for row in rows)),
    } if rows else _("No attempt has ended in this time.")  # fmt: skip
    return Picture(
        "attempts", _("Attempts"), said, "dots", "ms", [row["ended_at"] for row in rows], lines,
        links=links(rows), names=[row["name"] for row in rows], since=now - timedelta(hours=hours), until=now, log=True,
        note=_("A dot is an attempt; a click opens its job."),
    )  # fmt: skip


def predicted_and_actual(rows: Sequence[Row]) -> Picture:
    """On the same scale: on the line they agree."""
    ordered = sorted(rows, key=lambda row: float(row["predicted_ms"]))
    return Picture(
        "predicted", _("Predicted and actual run time"), accuracy(rows), "dots", "ms",
        [shown(row["predicted_ms"]) for row in ordered], split(ordered), links=links(ordered),
        names=[row["name"] for row in ordered], log=True, ideal=True,
        empty=_("Each run adds a dot: to the right what was predicted, upwards what it took. Jobs on the line were"
                " predicted exactly."),
    )  # fmt: skip


def accuracy(rows: Sequence[Row]) -> str:
    """How near the predictions were, for the runs that succeeded, in one sentence."""
    if not rows:
        return _("No run has come to an end yet.")
    done = [row for row in rows if row["outcome"] == Outcome.DONE]
    if not done:
        return _("None of the last %(runs)s runs succeeded.") % {"runs": len(rows)}
    pairs = [(shown(row["runtime_ms"]), shown(row["predicted_ms"])) for row in done]
    factors = sorted(max(actual / predicted, predicted / actual) for actual, predicted in pairs)
    ninth = factors[min(int(len(factors) * 0.9), len(factors) - 1)]
    return _(
        "Of the last %(runs)s runs, half were within %(half)s of what was predicted, nine in ten within %(ninth)s."
    ) % {"runs": len(done), "half": off_by(statistics.median(factors)), "ninth": off_by(ninth)}


def off_by(factor: float) -> str:
    if factor < 1.995:
        return f"{(factor - 1) * 100:.0f} %"
    return _("%(factor)s times") % {"factor": f"{factor:.1f}"}
