"""Numbers to places on a small SVG: what the chart templates draw. No script runs for them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

WIDTH, HEIGHT = 440, 180
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 22
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


@dataclass(frozen=True, slots=True)
class Tick:
    """A word at a place; `anchor` is which end of the word stands there."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: its marks, its axes, and what it says in a sentence."""

    summary: str
    marks: list[dict[str, Any]] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)
    x_ticks: list[Tick] = field(default_factory=list)
    y_ticks: list[Tick] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    floor: int = HEIGHT - BOTTOM


def bars(rows: Sequence[dict[str, Any]]) -> Chart:
    """Ended attempts per interval: failed ones stand on the done ones."""
    highest = nice(max((row["done"] + row["failed"] for row in rows), default=0))
    slot = INNER_WIDTH / max(len(rows), 1)
    marks = []
    for index, row in enumerate(rows):
        done, failed = row["done"] / highest * INNER_HEIGHT, row["failed"] / highest * INNER_HEIGHT
        marks.append(
            {
                "x": round(LEFT + index * slot + slot * 0.12, 2),
                "width": round(slot * 0.76, 2),
                "done_y": round(TOP + INNER_HEIGHT - done, 2),
                "done_height": round(done, 2),
                "failed_y": round(TOP + INNER_HEIGHT - done - failed, 2),
                "failed_height": round(failed, 2),
                "row": row,
            }
        )
    done_sum, failed_sum = sum(row["done"] for row in rows), sum(row["failed"] for row in rows)
    share = f", {failed_sum / (done_sum + failed_sum):.1%} of all" if failed_sum else ""
    summary = f"{done_sum:,} attempts done and {failed_sum:,} failed{share}."
    return Chart(summary, marks, x_ticks=clock_ticks([row["at"] for row in rows]), y_ticks=count_ticks(highest))


def depth_lines(rows: Sequence[dict[str, Any]], *, hours: int, bucket_seconds: int, now: datetime) -> Chart:
    """Waiting and running jobs over time, as paths; a gap where nothing is known."""
    if not rows:
        return Chart("The leader writes down how many jobs wait and run; it has written nothing in this time.")
    highest = nice(max(max(row["queued"], row["running"]) for row in rows))
    start = now - timedelta(hours=hours)

    def points(part: Sequence[dict[str, Any]], name: str) -> str:
        spots = [(place(row["at"], start, hours), TOP + INNER_HEIGHT * (1 - row[name] / highest)) for row in part]
        # a single moment is a short stroke, else nothing would be seen
        spots += [(spots[0][0] + 1, spots[0][1])] if len(spots) == 1 else []
        return "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)

    parts = unbroken(rows, bucket_seconds)
    lines = {name: "".join("M" + points(part, name) for part in parts) for name in ("queued", "running")}
    floor = TOP + INNER_HEIGHT
    lines["area"] = "".join(
        f"M{place(part[0]['at'], start, hours):.1f} {floor}L{points(part, 'queued')}"
        f"L{place(part[-1]['at'], start, hours):.1f} {floor}Z"
        for part in parts
    )
    peak = max(row["queued"] for row in rows)
    summary = f"Lately {rows[-1]['queued']:,} waiting and {rows[-1]['running']:,} running; at most {peak:,} waited."
    moments = [start + timedelta(hours=hours * share / 48) for share in range(48)]
    return Chart(summary, lines=lines, x_ticks=clock_ticks(moments), y_ticks=count_ticks(highest))


def place(at: datetime, start: datetime, hours: int) -> float:
    """How far to the right a moment stands."""
    return LEFT + min(max((at - start) / timedelta(hours=hours), 0), 1) * INNER_WIDTH


def unbroken(rows: Sequence[dict[str, Any]], bucket_seconds: int) -> list[list[dict[str, Any]]]:
    """The rows in runs of neighbouring intervals."""
    parts = [[rows[0]]]
    for before, row in pairwise(rows):
        if (row["at"] - before["at"]).total_seconds() > bucket_seconds * 1.5:
            parts.append([])
        parts[-1].append(row)
    return parts


def scatter(rows: Sequence[dict[str, Any]]) -> Chart:
    """Predicted against actual runtime, both on the same logarithmic scale: on the diagonal they agree."""
    if not rows:
        return Chart("No run has come to an end yet.")
    values = [max(row[name], 0.1) for row in rows for name in ("predicted_ms", "runtime_ms")]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def share(ms: float) -> float:
        return (math.log10(max(ms, 0.1)) - low) / (high - low)

    marks = [
        {
            "x": round(LEFT + share(row["predicted_ms"]) * INNER_WIDTH, 1),
            "y": round(TOP + (1 - share(row["runtime_ms"])) * INNER_HEIGHT, 1),
            "failed": row["outcome"] != "done",
            "row": row,
        }
        for row in rows
    ]
    powers = [(power, (power - low) / (high - low)) for power in range(low, high + 1)]
    return Chart(
        accuracy(rows),
        marks,
        x_ticks=[
            Tick(round(LEFT + part * INNER_WIDTH, 1), power_text(power), "end" if part == 1 else "middle")
            for power, part in powers
        ],
        y_ticks=[Tick(round(TOP + (1 - part) * INNER_HEIGHT, 1), power_text(power)) for power, part in powers],
    )


def accuracy(rows: Sequence[dict[str, Any]]) -> str:
    """How near the predictions were, for the runs that succeeded, in one sentence."""
    done = [row for row in rows if row["outcome"] == "done"]
    if not done:
        return f"None of the last {len(rows)} runs succeeded."
    factors = sorted(
        max(row["runtime_ms"], 0.1) / max(row["predicted_ms"], 0.1)
        if row["runtime_ms"] > row["predicted_ms"]
        else max(row["predicted_ms"], 0.1) / max(row["runtime_ms"], 0.1)
        for row in done
    )
    ninth = factors[min(int(len(factors) * 0.9), len(factors) - 1)]
    half = statistics.median(factors)
    return (
        f"Of the last {len(done)} runs, half were within {off_by(half)} of what was predicted, "
        f"nine in ten within {off_by(ninth)}."
    )


def off_by(factor: float) -> str:
    return f"{(factor - 1) * 100:.0f} %" if factor < 1.995 else f"{factor:.1f} times"


def nice(highest: float) -> float:
    """The next round number at or above: 1, 2, 4, 5 or 10 times a power of ten, at least 4 for whole ticks."""
    if highest <= 4:
        return 4
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= highest)


def count_ticks(highest: float) -> list[Tick]:
    return [Tick(TOP + INNER_HEIGHT * (1 - part), short(highest * part)) for part in (0, 0.5, 1)]


def short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def clock_ticks(moments: Sequence[datetime]) -> list[Tick]:
    """Up to five times below the chart, in UTC: of day, or the days themselves when it shows several."""
    if not moments:
        return []
    days = moments[-1] - moments[0] > timedelta(hours=36)
    step = max(len(moments) // 4, 1)
    slot = INNER_WIDTH / len(moments)
    ticks = [
        Tick(round(LEFT + index * slot, 1), f"{moment.day} {moment:%b}" if days else f"{moment:%H:%M}")
        for index, moment in enumerate(moments)
        if index % step == 0
    ]
    return ticks[:5]


def power_text(power: int) -> str:
    """10 to this power milliseconds, short."""
    return f"{10**power:g} ms" if power < 3 else f"{10 ** (power - 3):,g} s".replace(",", " ")
