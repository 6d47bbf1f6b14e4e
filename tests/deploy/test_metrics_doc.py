"""docs/metrics.md has each metric there is, and no other; the runbooks' commands are understood."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection
from prometheus_client.core import Metric
from pytest_django.fixtures import Settings

from jobs.metrics.database import DatabaseCollector
from jobs.processes.loop import Loop
from jobs.processes.scheduler import Scheduler
from jobs.processes.telling import ProcessCollector
from jobs.processes.watchdog import Watchdog
from jobs.processes.worker import Worker
from jobs.queue import sql
from smartqueue.programs import BASE_DIR
from tests.conftest import World
from tests.deploy.files import ALERTS, NAME, SUFFIX, names_in, queries
from tests.factories import make_hour

pytestmark = pytest.mark.django_db

DOC = BASE_DIR / "docs/metrics.md"
RUNBOOKS = sorted((BASE_DIR / "docs/runbooks").glob("*.md"))
QUERY = re.compile(r'psql "\$DATABASE_URL" -c "([^"]+)"')
COMMAND = re.compile(r"manage\.py (\w+)((?: [^`\n]*)?)")


def processes() -> Iterator[Loop]:
    for process in (Worker(queues=["default"], slots=1), Scheduler(), Watchdog()):
        process.measures.chore("promote")
        yield process
        process.close_sockets()


def metrics(world: World) -> list[Metric]:
    make_hour(world.org, ranged=100, in_range=80)
    sql.run("begin_stream", sink="kafka", position=0)
    found = {each.name: each for each in DatabaseCollector().collect()}
    for process in processes():
        found |= {each.name: each for each in ProcessCollector(process).collect()}
    return list(found.values())


def line(metric: Metric) -> str:
    """Its line of the table."""
    labels = sorted({name for sample in metric.samples for name in sample.labels} - {"le"})
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return f"| `{name}` | {metric.type} | {' '.join(f'`{label}`' for label in labels)} | {metric.documentation} |"


@pytest.fixture
def artefacts(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.mark.usefixtures("artefacts")
def test_every_metric_is_in_the_table_and_nothing_else(world: World) -> None:
    told = [each for each in DOC.read_text().splitlines() if each.startswith("| `smartqueue_")]

    assert sorted(told) == sorted(line(metric) for metric in metrics(world))


@pytest.mark.usefixtures("artefacts")
def test_every_query_asks_for_a_metric_that_there_is(world: World) -> None:
    there = {metric.name + ("_total" if metric.type == "counter" else "") for metric in metrics(world)}
    asked = {name for _, query in queries() for name in names_in(query)} | set(NAME.findall(ALERTS.read_text()))
    ours = {name for name in asked if name.startswith("smartqueue_")}

    assert len(ours) > 30
    assert {name for name in ours if name not in there and SUFFIX.sub("", name) not in there} == set()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_the_queries_of_a_runbook_are_answered(path: Path) -> None:
    for query in QUERY.findall(path.read_text()):
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert cursor.description is not None


@pytest.mark.parametrize("path", [*RUNBOOKS, DOC], ids=lambda path: path.stem)
def test_the_commands_of_a_text_are_there(path: Path) -> None:
    known = get_commands()
    for name, words in COMMAND.findall(path.read_text()):
        command: Any = load_command_class(known[name], name)
        parser = command.create_parser("manage.py", name)
        text = parser.format_help()
        assert all(word in text for word in re.findall(r"--[a-z-]+", words)), (name, words)


def test_each_metric_that_a_text_looks_for_is_in_the_table() -> None:
    table = DOC.read_text()
    for path in RUNBOOKS:
        for name in re.findall(r"`(smartqueue_\w+)`", path.read_text()):
            assert f"| `{name}` |" in table, (path.stem, name)
