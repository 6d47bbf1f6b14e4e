"""What is read from logs and files, and how it is shown."""

from pathlib import Path

import pytest

from bench import pages, tables
from bench.ours.statements import durations, first_words
from bench.peers import counter
from bench.percentiles import percentiles

LOG = """\
2026-11-25 04:00:00.000 UTC [17] LOG:  duration: 1.500 ms  parse _pg3_0: -- Take up to $1 jobs
\tSELECT 1
2026-11-25 04:00:00.001 UTC [18] LOG:  duration: 9.000 ms  statement: SELECT now()
2026-11-25 04:00:00.002 UTC [17] LOG:  duration: 0.500 ms  bind _pg3_0: -- Take up to $1 jobs
\tSELECT 1
2026-11-25 04:00:00.003 UTC [17] LOG:  duration: 2.000 ms  execute _pg3_0: -- Take up to $1 jobs
\tSELECT 1
2026-11-25 04:00:00.004 UTC [17] LOG:  checkpoint complete
"""


def test_a_statement_costs_its_parsing_planning_and_running(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    log.write_text("an older line\n" + LOG)

    found = list(durations(log, len("an older line\n")))

    assert [(first_words(text), milliseconds) for text, milliseconds in found] == [
        ("SELECT now()", 9.0),
        ("Take up to $1 jobs", 4.0),
    ]


def test_runs_are_counted_over_processes_and_starts_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_COUNTS", str(tmp_path))
    monkeypatch.setattr(counter, "_counters", {})
    (tmp_path / "runs-1").write_bytes(counter.LAYOUT.pack(2, 5, 9))

    counter.count()
    counter.count(7)

    found = counter.read(tmp_path)
    assert (found.processes, found.runs, found.first_ns) == (2, 4, 5)
    starts = counter.Starts()
    assert starts.of(7) == found.last_ns
    assert starts.of(8) == 0


def test_percentiles_of_one_value_are_that_value() -> None:
    assert percentiles([3.0]) == {"p50": 3.0, "p95": 3.0, "p99": 3.0}
    assert percentiles(range(1, 101))["p99"] == pytest.approx(99, abs=1)


def test_a_rate_is_shown_with_how_many_times_ours_is() -> None:
    assert tables.rate(100.0, 1_250.0, alone=False) == "100 (×12.50)"
    assert tables.rate(1_250.0, 1_250.0, alone=True) == "1,250"
    assert tables.rate(None, 1_250.0, alone=False) == "-"


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_the_figures_of_a_page_are_those_of_the_result_files(path: Path) -> None:
    page = path.read_text(encoding="utf-8")

    assert pages.with_figures(path) == page, "run: python -m bench docs"
