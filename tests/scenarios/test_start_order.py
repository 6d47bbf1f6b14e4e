"""The processes are started in any order, the database after some or all of them: each waits until it is there."""

import random
import time
from pathlib import Path

import pytest

from smartqueue.embedded import Server
from tests.process import Process
from tests.processes import patiently
from tests.proofs import figure, times
from tests.scenarios.deployment import DURABLE_CONF, KINDS, Deployment, migrated, state_folder

PIECES = ("web", *KINDS)
# The bar is 10 s on a machine of its own.
READY_SECONDS = 90.0


def orders(count: int) -> list[list[str]]:
    """The database last, and then at other places, each time in another order."""
    draw = random.Random(33)
    found = []
    for place in (4, 2, 0, 3, 1, 4)[:count]:
        order = draw.sample(PIECES, len(PIECES))
        order.insert(place, "database")
        found.append(order)
    return found


def test_started_in_any_order_each_waits_for_the_database_and_all_are_ready_soon(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with state_folder() as state, migrated(request, tmp_path, Server(state, DURABLE_CONF)) as site:
        site.server.stop()
        seconds = [ready_after(site, order) for order in orders(times(2, 6))]
        figure("F33", orders=len(seconds), ready_after_last_seconds=round(max(seconds), 2), exited=0)
        assert max(seconds) < READY_SECONDS


def ready_after(site: Deployment, order: list[str]) -> float:
    """Start all in that order; the seconds from the start of the last until all are ready."""
    started: dict[str, Process] = {}
    last = 0.0
    for piece in order:
        if piece == "database":
            patiently(lambda: all(waits(site, kind, process) for kind, process in started.items()))
            site.bring_back()
        else:
            started[piece] = site.begin(piece)
        last = time.monotonic()
    patiently(site.ready)
    seconds = time.monotonic() - last
    for process in started.values():
        assert process.running, process.text
        process.close()
        site.fleet.processes.remove(process)
    forget_processes(site)
    return seconds


def waits(site: Deployment, kind: str, process: Process) -> bool:
    """Whether it has looked for the database, not found it, and lives."""
    assert process.running, process.text
    if kind == "web":
        return site.client.call("GET", "/readyz").status == 503
    return "database trouble" in process.text


def forget_processes(site: Deployment) -> None:
    """What was killed is still said to be online; then the database is away again."""
    with site.above() as session:
        session.execute("TRUNCATE jobs_workerprocess")
        session.execute("UPDATE jobs_leaderterm SET ended_at = clock_timestamp() WHERE ended_at IS NULL")
    site.take_away()
