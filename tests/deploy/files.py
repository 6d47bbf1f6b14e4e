"""What deploy/ gives to Prometheus and Grafana, read."""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from smartqueue.programs import BASE_DIR

ALERTS = BASE_DIR / "deploy/prometheus/alerts.yml"
CONFIG = BASE_DIR / "deploy/prometheus/prometheus.yml"
BOARD = BASE_DIR / "deploy/grafana/dashboards/smartqueue.json"
PROVISIONING = BASE_DIR / "deploy/grafana/provisioning"
# The words of a query that are names of series.
NAME = re.compile(r"\b((?:smartqueue|django)_\w+|up)\b")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="PROMETHEUS IS NOT INSTALLED, SO NEITHER ALERTS NOR PANELS ARE TRIED: apt-get install prometheus",
)


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Without the headings."""
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """The title and the query of each line of each panel."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def names_in(query: str) -> set[str]:
    return set(NAME.findall(query))
