"""How near the predictions come over time, as lines on a small SVG: their error, and what falls into the range."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.charts import INNER_HEIGHT, INNER_WIDTH, LEFT, TOP, Chart, Tick, clock_ticks, place, unbroken

# What the range from p10 to p90 is to hold.
WANTED_COVERAGE = 0.8
LEAST_STEP = 0.25
NOTHING = "Nothing that was predicted has come to an end in this time."


def error_line(
    rows: Sequence[dict[str, Any]], *, hours: int, bucket_seconds: int, now: datetime, promised: float | None
) -> Chart:
    """Mean |log2(predicted / actual)| by interval; `promised` is that of the model's held-out runs."""
    if not rows:
        return Chart(NOTHING)
    runs = sum(row["runs"] for row in rows)
    error = sum(row["malr"] * row["runs"] for row in rows) / runs
    said = f"Over {runs:,} runs predictions were off by a factor of {2**error:.1f}"
    if promised is not None:
        said += f"; the model in use was by {2**promised:.1f} on the runs it was measured with"
    highest = math.ceil(max(*(row["malr"] for row in rows), promised or 0, LEAST_STEP) / LEAST_STEP) * LEAST_STEP
    ticks = [(part, f"×{2 ** (highest * part):.1f}") for part in (0, 0.5, 1)]
    shares = [{**row, "share": row["malr"] / highest} for row in rows]
    reference = None if promised is None else promised / highest
    return line(f"{said}.", shares, ticks, reference, hours=hours, bucket_seconds=bucket_seconds, now=now)


def coverage_line(rows: Sequence[dict[str, Any]], *, hours: int, bucket_seconds: int, now: datetime) -> Chart:
    """Share of the runs that took between p10 and p90, by interval, beside the share that should."""
    shares = [{**row, "share": row["coverage"]} for row in rows if row["coverage"] is not None]
    if not shares:
        return Chart("No run that was predicted with a range has come to an end in this time.")
    mean = sum(row["share"] * row["runs"] for row in shares) / sum(row["runs"] for row in shares)
    said = f"{mean:.0%} of the runs took between p10 and p90; {WANTED_COVERAGE:.0%} should."
    ticks = [(part, f"{part:.0%}") for part in (0, 0.5, 1)]
    return line(said, shares, ticks, WANTED_COVERAGE, hours=hours, bucket_seconds=bucket_seconds, now=now)


def line(
    summary: str,
    rows: Sequence[dict[str, Any]],
    ticks: Sequence[tuple[float, str]],
    reference: float | None,
    *,
    hours: int,
    bucket_seconds: int,
    now: datetime,
) -> Chart:
    """`share` of each row over time, from the floor (0) to the top (1), broken where there are no rows."""
    start = now - timedelta(hours=hours)

    def height(share: float) -> float:
        return TOP + INNER_HEIGHT * (1 - share)

    def points(part: Sequence[dict[str, Any]]) -> str:
        spots = [(place(row["at"], start, hours), height(row["share"])) for row in part]
        # a single interval is a short stroke, else nothing would be seen
        spots += [(min(spots[0][0] + 4, LEFT + INNER_WIDTH), spots[0][1])] if len(spots) == 1 else []
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)

    lines = {"value": "".join(points(part) for part in unbroken(rows, bucket_seconds))}
    if reference is not None:
        lines["reference"] = f"M{LEFT} {height(reference):.1f}H{LEFT + INNER_WIDTH}"
    moments = [start + timedelta(hours=hours * share / 48) for share in range(48)]
    y_ticks = [Tick(height(part), text) for part, text in ticks]
    return Chart(summary, lines=lines, x_ticks=clock_ticks(moments), y_ticks=y_ticks)
