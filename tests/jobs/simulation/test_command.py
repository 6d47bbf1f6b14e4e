"""manage.py simulate, as people use it."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.jobs.simulation.traces import some, write

KEYS = [
    "mdape",
    "malr",
    "within_2x",
    "spearman",
    "p10_p90_coverage",
    "mean_wait_s",
    "mean_slowdown",
    "p99_wait_s",
    "max_wait_s",
    "jain",
    "gap_wait",
    "gap_slowdown",
    "us_per_prediction",
    "jobs",
]


def said(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("simulate", str(path), *options, stdout=out)
    return out.getvalue()


def test_json_is_one_object_with_the_figures_and_nothing_else(tmp_path: Path) -> None:
    figures = json.loads(said(some(tmp_path, 60), "--workers", "2", "--policy", "learned", "--json"))

    assert sorted(figures) == sorted(KEYS)
    assert figures["jobs"] == 60
    assert all(isinstance(value, int | float) for value in figures.values())


def test_the_table_says_how_many_workers_and_what_load(tmp_path: Path) -> None:
    text = said(some(tmp_path, 60), "--policy", "fifo", "--details")

    assert "60 jobs, 4 workers, offered load 0.90, policy fifo" in text
    assert "of the way from fifo to the oracle: waits 0% closed" in text
    assert "t0" in text


def test_with_workers_alone_arrivals_are_as_given_and_with_a_load_they_are_moved(tmp_path: Path) -> None:
    path = write(tmp_path, "0,10,a,k,,", "10,10,a,k,,", "20,10,a,k,,")

    assert "3 workers, offered load 0.50" in said(path, "--workers", "3", "--policy", "oracle")
    assert "3 workers, offered load 0.75" in said(path, "--workers", "3", "--load", "0.75", "--policy", "oracle")


@pytest.mark.parametrize("options", [("--workers", "0"), ("--load", "0"), ("--load", "nan"), ("--policy", "best")])
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        said(some(tmp_path, 10), *options)


def test_a_bad_file_ends_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="line 2: runtime_s is 'x'") as error:
        said(write(tmp_path, "1,x,a,k,,"))

    assert len(str(error.value).splitlines()) == 1


def test_one_job_has_no_order(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="one job"):
        said(write(tmp_path, "1,1,a,k,,"))
