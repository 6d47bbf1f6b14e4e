"""Numbers to places: what the charts draw."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics import charts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def depths(*minutes_and_queued: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        {"at": NOW - timedelta(minutes=minutes), "queued": queued, "running": 0, "scheduled": 0}
        for minutes, queued in minutes_and_queued
    ]


def run(predicted_ms: float, runtime_ms: float, outcome: str = "done") -> dict[str, Any]:
    return {"predicted_ms": predicted_ms, "runtime_ms": runtime_ms, "outcome": outcome}


def test_a_depth_line_breaks_where_nothing_is_known() -> None:
    chart = charts.depth_lines(depths((50, 1), (49, 2), (10, 3), (9, 0)), hours=1, bucket_seconds=60, now=NOW)

    assert chart.lines["queued"].count("M") == 2
    assert chart.lines["area"].count("Z") == 2
    assert chart.summary == "Lately 0 waiting and 0 running; at most 3 waited."


def test_a_single_moment_is_still_drawn() -> None:
    chart = charts.depth_lines(depths((30, 4)), hours=1, bucket_seconds=60, now=NOW)

    half = charts.LEFT + charts.INNER_WIDTH / 2
    assert chart.lines["queued"] == f"M{half:.1f} 10.0L{half + 1:.1f} 10.0"


def test_a_run_as_predicted_lies_on_the_diagonal() -> None:
    chart = charts.scatter([run(10, 10), run(1_000, 1_000), run(10, 1_000)])

    for mark in chart.marks[:2]:
        right, up = mark["x"] - charts.LEFT, charts.TOP + charts.INNER_HEIGHT - mark["y"]
        assert right / charts.INNER_WIDTH == pytest.approx(up / charts.INNER_HEIGHT, abs=0.005)
    assert chart.marks[2]["y"] < chart.marks[0]["y"]


@pytest.mark.parametrize("ms", [0.0, -3.0, 1e12])
def test_odd_times_stay_within_the_picture(ms: float) -> None:
    for mark in charts.scatter([run(ms, 5), run(5, ms)]).marks:
        assert charts.LEFT <= mark["x"] <= charts.WIDTH
        assert 0 <= mark["y"] <= charts.HEIGHT


def test_failed_attempts_stand_on_the_done_ones() -> None:
    chart = charts.bars([{"at": NOW, "done": 3, "failed": 1}])

    (mark,) = chart.marks
    assert mark["failed_y"] + mark["failed_height"] == pytest.approx(mark["done_y"])
    assert mark["done_y"] + mark["done_height"] == charts.TOP + charts.INNER_HEIGHT
    assert mark["failed_y"] == charts.TOP  # four of four
    assert chart.summary == "3 attempts done and 1 failed, 25.0% of all."


@pytest.mark.parametrize(
    ("highest", "rounded"),
    [(0, 4), (3, 4), (4, 4), (5, 5), (6, 10), (11, 20), (40, 40), (41, 50), (99, 100), (101, 200)],
)
def test_axes_end_at_round_numbers(highest: float, rounded: float) -> None:
    assert charts.nice(highest) == rounded


@pytest.mark.parametrize(("hours", "first"), [(1, "11:00"), (24, "12:00"), (168, "22 Feb"), (720, "30 Jan")])
def test_times_below_are_days_when_several_are_shown(hours: int, first: str) -> None:
    moments = [NOW - timedelta(hours=hours * (48 - n) / 48) for n in range(48)]

    ticks = charts.clock_ticks(moments)

    assert len(ticks) <= 5
    assert ticks[0].text == first


def test_accuracy_is_told_in_words() -> None:
    near, far, failed = run(100, 110), run(100, 400), run(100, 900, "error")

    assert charts.accuracy([near] * 9 + [far]) == (
        "Of the last 10 runs, half were within 10 % of what was predicted, nine in ten within 4.0 times."
    )
    assert charts.accuracy([failed]) == "None of the last 1 runs succeeded."
