"""Charts as the server has them: the numbers, the sentence and the table say the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics import accuracy_charts, dot_charts, flow_charts
from analytics.pictures import Line, Picture
from analytics.queries import Series
from jobs.histograms import Measure, bin_of
from jobs.sums import Interval, OverTime, Sums

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def over_time(*sums: Sums) -> OverTime:
    intervals = [Interval(NOW - timedelta(minutes=len(sums) - number), one) for number, one in enumerate(sums)]
    return OverTime(1, 60, intervals)


def waited(*ms: float) -> Sums:
    return Sums(bins={bin_of(Measure.WAIT, one): 1 for one in ms}, waited=len(ms))


def run(predicted_ms: float, runtime_ms: float, outcome: str = "done") -> dict[str, Any]:
    return {
        "job_id": "1", "name": "n", "predicted_ms": predicted_ms, "runtime_ms": runtime_ms, "outcome": outcome,
        "ended_at": NOW,
    }  # fmt: skip


def test_throughput_is_told_as_it_is_drawn() -> None:
    found = flow_charts.throughput(over_time(Sums(done=3), Sums(), Sums(done=0, failed=1)))

    assert found.summary == "3 attempts done and 1 failed, 25.0% of all."
    assert [line["values"] for line in found.data["lines"]] == [[3, 0, 0], [0, 0, 1]]
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["1 Mar 11:59", "0", "1"],
        ["1 Mar 11:58", "0", "0"],
        ["1 Mar 11:57", "3", "0"],
    ]
    assert [row[1:] for row in found.raw] == [[3, 0], [0, 0], [0, 1]]
    assert found.data["span"] == [(NOW - timedelta(minutes=3)).timestamp(), NOW.timestamp()]


def test_quantiles_of_all_are_of_the_added_bins_and_not_of_the_intervals() -> None:
    found = flow_charts.waits(over_time(waited(*([1000.0] * 1)), Sums(), waited(10.0, 20.0, 40.0)))

    assert found.lines[0].values[1] is None
    assert found.lines[2].values[0] == pytest.approx(1000, rel=0.05)
    assert found.summary.startswith("Half waited no longer than 20 ms, 95 in 100 no longer than 981 ms")


@pytest.mark.parametrize("draw", [flow_charts.waits, flow_charts.runs, accuracy_charts.error_line,
                                  accuracy_charts.coverage_line, flow_charts.error_histogram])  # fmt: skip
def test_of_nothing_nothing_is_drawn_but_a_sentence(draw: Any) -> None:
    found = draw(over_time(Sums(), Sums()))

    assert not found.drawn
    assert found.summary.endswith(".")


def test_a_histogram_of_errors_has_what_is_further_off_in_its_ends() -> None:
    ratios = [-0.1, 0.1, 0.2, 1.1, 40.0, -40.0]
    bins: dict[int, int] = {}
    for ratio in ratios:
        one = bin_of(Measure.ERROR, ratio)
        bins[one] = bins.get(one, 0) + 1

    found = flow_charts.error_histogram(over_time(Sums(bins=bins)))

    values = found.lines[0].values
    assert (values[0], values[-1]) == (1, 1)
    assert sum(value or 0 for value in values) == len(ratios)
    assert found.summary.startswith("50 % of 6 runs were within a factor of 1.4; 33 % took longer")


def test_the_median_error_is_the_same_for_too_long_and_too_short() -> None:
    def median(*ratios: float) -> float | None:
        return Sums(bins={bin_of(Measure.ERROR, ratio): 1 for ratio in ratios}).median_error

    assert median(0.9, 2.1, -3.1) == pytest.approx(2.1, abs=0.13)
    assert median(-2.1) == pytest.approx(2.1, abs=0.13)
    assert median() is None


def test_dots_are_told_apart_by_shape_and_lead_to_their_jobs() -> None:
    found = dot_charts.run_times([run(1, 5), run(1, 7, "error")], hours=1, now=NOW)

    done, failed = found.lines
    assert (done.values, failed.values) == ([5, None], [None, 7])
    assert (done.diamond, failed.diamond) == (False, True)
    assert found.data["links"] == ["/jobs/1/", "/jobs/1/"]
    assert [row[0].link for row in found.rows] == ["/jobs/1/", "/jobs/1/"]


@pytest.mark.parametrize("ms", [0.0, -3.0])
def test_odd_times_stay_on_a_logarithmic_axis(ms: float) -> None:
    found = dot_charts.predicted_and_actual([run(ms, 5), run(5, ms)])

    assert min(found.places) > 0
    assert all(value is None or value > 0 for line in found.lines for value in line.values)


def test_depth_is_told_of_the_last_moment() -> None:
    rows = [{"at": NOW - timedelta(minutes=ago), "queued": ago, "running": 1, "scheduled": 0} for ago in (9, 3)]

    found = flow_charts.depth(Series(1, 60, rows), hours=1, now=NOW)

    assert found.summary == "Lately 3 waiting and 1 running; at most 9 waited."
    assert not flow_charts.depth(Series(1, 60, []), hours=1, now=NOW).drawn


def test_accuracy_is_told_in_words() -> None:
    near, far, failed = run(100, 110), run(100, 400), run(100, 900, "error")

    assert dot_charts.accuracy([near] * 9 + [far]) == (
        "Of the last 10 runs, half were within 10 % of what was predicted, nine in ten within 4.0 times."
    )
    assert dot_charts.accuracy([failed]) == "None of the last 1 runs succeeded."


def test_a_table_of_many_dots_has_the_newest() -> None:
    many = Picture(
        "x", "X", "", "dots", "ms", [NOW] * 300, [Line("done", "done", [*range(1, 301)])],
        links=["/jobs/1/"] * 300, names=["n"] * 300,
    )  # fmt: skip

    rows = list(many.rows)

    assert len(rows) == 100
    assert rows[0][2].text == "300 ms"
