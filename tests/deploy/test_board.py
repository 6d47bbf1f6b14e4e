"""The board of Grafana: what it must show is there, nothing lies over anything else, each query asks what there is."""

from itertools import combinations
from typing import Any

import pytest
import yaml

from tests.deploy.files import PROVISIONING, SUFFIX, board, names_in, panels, queries

ROWS = ["Health", "Flow", "Latency", "Prediction"]
WANTED = [
    "Jobs created per minute", "Attempts failed per minute", "Latency: processing p50 and p95", "Failure rate",
    "Active jobs", "DLQ size", "Completed total", "Classification cache hit rate", "Retry rate", "Queue depth",
    "Workers", "Prediction MAPE", "Leader", "Oldest waiting",
]  # fmt: skip
KINDS = {"stat", "timeseries", "row"}
# Grafana's ids of units (packages/grafana-data/src/valueFormats/categories.ts).
UNITS = {"none", "short", "s", "percentunit", "cpm", "reqps", "bytes"}
PLACE = ("x", "y", "w", "h")


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    x, y, w, h = (panel["gridPos"][name] for name in PLACE)
    return {(column, line) for column in range(x, x + w) for line in range(y, y + h)}


def test_what_it_must_show_is_there_in_four_rows() -> None:
    assert [panel["title"] for panel in board()["panels"] if panel["type"] == "row"] == ROWS
    assert set(WANTED) <= {panel["title"] for panel in panels()}
    assert board()["uid"] == "smartqueue"


def test_no_panel_lies_over_another_or_beyond_the_edge() -> None:
    everything = board()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    for panel in everything:
        assert set(panel["gridPos"]) == set(PLACE)
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    assert [(a["title"], b["title"]) for a, b in combinations(everything, 2) if cells(a) & cells(b)] == []


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_each_panel_says_what_it_is_in_which_unit_from_where(panel: dict[str, Any]) -> None:
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": datasource()["uid"]}
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert names_in(target["expr"])
        assert target["legendFormat"]


def test_each_variable_is_used_and_each_that_is_used_is_there() -> None:
    known = {variable["name"] for variable in board()["templating"]["list"]}
    text = " ".join(query for _, query in queries()).replace("$__rate_interval", "")

    assert known == {"job_type"}
    assert "$job_type" in text
    assert "$" not in text.replace("$job_type", "")


def test_what_grafana_is_told_at_its_start_names_the_same() -> None:
    provider = yaml.safe_load((PROVISIONING / "dashboards/smartqueue.yml").read_text())["providers"][0]

    assert datasource()["type"] == "prometheus"
    assert datasource()["url"] == "http://prometheus:9090"
    assert provider["type"] == "file"


def datasource() -> dict[str, Any]:
    (one,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())["datasources"]
    return dict(one)


def test_rates_are_not_summed_over_the_webs_that_all_tell_the_same() -> None:
    """A counter of the database is told by each web: a sum over them counts each job as often as there are webs."""
    for title, query in queries():
        for name in names_in(query):
            of_database = name.startswith("smartqueue_") and not name.startswith("smartqueue_process_")
            assert not of_database or "max" in query, (title, SUFFIX.sub("", name))
