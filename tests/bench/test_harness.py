"""The bench runs, on a few jobs: nothing here says how fast."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.workers import ROOT

TINY = {
    "TIMES": "1",
    "JOBS": "30",
    "OPTION": "5",
    "SINGLE_JOBS": "5",
    "IDLE_JOBS": "3",
    "PACED_RATE": "20",
    "PACED_SECONDS": "1",
    "OTHER_ROWS": "20",
    "SLOTS": "5",
    "COPY_ROWS": "50",
    "PROFILE_JOBS": "50",
    "ETL_ROWS": "1000",
    "ETL_JOBS": "5",
    "FLOOD_JOBS": "1500",
    "FLOOD_JOB_MS": "1",
    "QUIET_SECONDS": "2",
    "PAGE_JOBS": "400",
    "PAGE_ROUNDS": "1",
    "AUDIT_ROWS": "500",
    "AUDIT_ROUNDS": "1",
    "AUDIT_RATE": "20",
    "STEADY_SECONDS": "4",
    "PATIENCE_SECONDS": "60",
}


def bench(folder: Path, *words: str) -> str:
    """What it printed; its figures are in the folder."""
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SMARTQUEUE_TESTING")}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT,
        env={**environ, **TINY, "RESULTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def figures(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def test_every_measure_beside_the_peers_is_taken_of_smartqueue(tmp_path: Path) -> None:
    printed = bench(tmp_path, "smartqueue")

    report = figures(tmp_path, "peers")
    found = report["peers"]["smartqueue"]
    assert found.get("failed") is None
    for rate in ("enqueue_single", "enqueue_bulk", "drain_1", "drain_2", "drain_crowded", "worker_megabytes"):
        assert found[rate] > 0, rate
    for wait in ("idle_ms", "idle_from_call_ms", "paced_ms", "paced_from_call_ms"):
        assert 0 <= found[wait]["p50"] <= found[wait]["p99"], wait
    assert found["paced_not_run"] == 0
    assert report["postgresql"].startswith("18")
    assert "| smartqueue" in printed


def test_measures_of_smartqueue_alone_are_kept_beside_each_other(tmp_path: Path) -> None:
    bench(tmp_path, "ours", "copying", "profile")

    report = figures(tmp_path, "smartqueue")
    assert list(report) == ["copying", "profile"]
    assert report["copying"]["sizes"]["COPY_ROWS"] == 50
    assert report["copying"]["figures"]["enqueue_many_rows_per_second"] > 0
    assert any("leases" in name or "Take" in name for name in report["profile"]["figures"]["statements"])


def test_a_quiet_organisation_beside_a_flood_is_measured(tmp_path: Path) -> None:
    bench(tmp_path, "fair-use")

    found = figures(tmp_path, "fair-use")["figures"]
    assert found["flood_jobs_accepted"] == 1_500
    assert found["quiet_submits"] > 0
    assert found["quiet_errors"] == 0
    assert 0 < found["start_delay_ms"]["p50"] <= found["start_delay_ms"]["p99"]


@pytest.mark.parametrize("words", [("nothing",), ("ours", "nothing")])
def test_an_unknown_name_is_refused_before_anything_starts(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match="nothing"):
        bench(tmp_path, *words)

    assert list(tmp_path.iterdir()) == []


def test_an_etl_job_answers_as_the_csv_module_does_and_is_measured_beside_it(tmp_path: Path) -> None:
    """That they answer alike is checked by the measure itself."""
    printed = bench(tmp_path, "etl")

    found = figures(tmp_path, "etl")["figures"]
    for name in ("etl_seconds", "csv_module_seconds", "csv_module_tuned_seconds", "trivial_etl_ms", "isolated_task_ms"):
        assert found[name] > 0, name
    assert 0 < found["etl_peak_megabytes"] < 512
    assert "times_faster" in printed


def test_the_audit_trail_is_written_sealed_verified_and_drained_beside(tmp_path: Path) -> None:
    """That it verifies, and that seals were made or not, is checked by the measure itself."""
    printed = bench(tmp_path, "audit")

    found = figures(tmp_path, "audit")["figures"]
    for name in ("write_us_a_row", "seal_us_a_row", "verify_us_a_row", "seal_bytes_a_row", "with_to_without"):
        assert found[name] > 0, name
    assert "seal_us_a_row" in printed


def test_every_page_is_asked_for_among_many_jobs(tmp_path: Path) -> None:
    printed = bench(tmp_path, "pages")

    found = figures(tmp_path, "pages")["pages"]
    assert all(page["p95_ms"] >= page["p50_ms"] > 0 and page["queries"] > 0 for page in found.values())
    assert "payload equal" in printed
