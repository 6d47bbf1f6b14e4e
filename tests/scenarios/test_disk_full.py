"""A disk that runs full under load: that of the tables, and that of the write-ahead log."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from smartqueue.embedded import Server
from tests.processes import patiently
from tests.proofs import figure, times
from tests.scenarios.deployment import DURABLE_CONF, Deployment, deployed, state_folder
from tests.scenarios.writers import Client, Writers

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="A SMALL DISK (TMPFS) CAN BE MOUNTED ONLY BY ROOT")
DISK_MEGABYTES = 300
# Files of the log are made when they are needed, which on a full disk is soon.
SMALL_LOG = {**DURABLE_CONF, "shared_buffers": "32MB", "max_wal_size": "48MB", "min_wal_size": "32MB"}
# The bar is 10 s on a machine of its own.
RESUMED_SECONDS = 90.0
ENOUGH_REFUSALS = 20
MUCH_LOG = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000), true)"


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    with state_folder() as folder:
        options = f"size={DISK_MEGABYTES}m,mode=0711"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "smartqueue-test", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room; removing the file that is returned gives it back."""
    filler = disk / "filler"
    for size in (2**20, 2**12):
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(bytes(size)) == size:
                pass
    return filler


def move_log(server: Server, folder: Path) -> None:
    """The write-ahead log lies on a disk of its own, as on larger installations."""
    server.start()
    server.stop()
    log = folder / "log"
    server.private_folder(log)
    shutil.copytree(server.data / "pg_wal", log, dirs_exist_ok=True)
    for path in (log, *log.rglob("*")):
        server.give(path)
    shutil.rmtree(server.data / "pg_wal")
    (server.data / "pg_wal").symlink_to(log)


def long_job() -> dict[str, Any]:
    """As long as a payload may be, and not to be made shorter by compressing."""
    task = {"task": "tests.about_me", "kwargs": {"greeting": os.urandom(4500).hex()}}
    return {"type": "python", "payload": task}


def until_refused(client: Client, name: str) -> tuple[dict[str, set[str]], list[str]]:
    """Submit long jobs until some were refused; what was acknowledged, and the keys that were refused."""
    acknowledged: dict[str, set[str]] = {}
    refused: list[str] = []
    while len(refused) < ENOUGH_REFUSALS:
        key = f"{name} {len(acknowledged) + len(refused)}"
        reply = client.submit(long_job(), key)
        if reply.status == 201:
            acknowledged[key] = {reply.body["id"]}
        else:
            assert reply.refused_well, reply
            refused.append(key)
    return acknowledged, refused


def stored(session: psycopg.Connection[Any], keys: list[str]) -> list[Any]:
    return session.execute("SELECT idempotency_key FROM jobs_job WHERE idempotency_key = ANY(%s)", [keys]).fetchall()


def resumed(site: Deployment, writers: Writers, freed: float) -> tuple[float, float]:
    """The seconds since then until the first 201, and until a new job is done; by processes that lived through it."""
    seconds = writers.first_201_after(freed), site.done_after(freed)
    for process in site.fleet.processes[1:]:
        assert process.running, process.text
    return seconds


def note(name: str, writers: Writers, began: float, seconds: list[tuple[float, float]], **figures: Any) -> None:
    refused = [reply for reply in writers.since(began) if reply.status not in (200, 201)]
    assert not [reply for reply in refused if not reply.refused_well][:3]
    first, done = (round(max(each), 2) for each in zip(*seconds, strict=True))
    figure(
        f"F10 {name}",
        filled=len(seconds),
        lost=0,  # else assert_done_once() had failed
        refused_503=len(refused),
        slowest_503_seconds=round(max(reply.seconds for reply in refused), 2),
        first_201_after_seconds=first,
        new_job_done_after_seconds=done,
        **figures,
    )
    assert done < RESUMED_SECONDS


def test_when_tables_cannot_grow_submits_are_refused_and_leave_nothing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with small_disk() as disk, state_folder() as elsewhere:
        server = Server(disk, SMALL_LOG)
        move_log(server, elsewhere)
        with deployed(request, tmp_path, server) as site:
            seconds, began, all_acknowledged, read = [], time.monotonic(), {}, 0
            # Our session is from before: PostgreSQL may need room for a file to let another in.
            with site.above() as session, Writers(site.client, threads=4, name="tables") as writers:
                for number in range(times(1, 5)):
                    filler = fill(disk)
                    acknowledged, refused = until_refused(site.client, f"long {number}")
                    assert not stored(session, refused)
                    reply = site.client.call("GET", "/api/v1/jobs/")
                    assert reply.status == 200 or reply.refused_well
                    read += reply.status == 200
                    assert server.process
                    assert server.process.poll() is None
                    filler.unlink()
                    seconds.append(resumed(site, writers, time.monotonic()))
                    all_acknowledged |= acknowledged
            site.assert_done_once(writers.acknowledged | all_acknowledged)
            note("tables", writers, began, seconds, reads_served=read)


def test_when_the_log_cannot_grow_nothing_acknowledged_is_lost(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """PostgreSQL stops then (it must not go on), and comes back when there is room and somebody starts it."""
    with small_disk() as disk, deployed(request, tmp_path, Server(disk, SMALL_LOG)) as site:
        seconds, began, ended = [], time.monotonic(), 0
        with Writers(site.client, threads=4, name="log") as writers:
            for _ in range(times(1, 5)):
                filler, filled = fill(disk), time.monotonic()
                patiently(lambda filled=filled: log_is_full(site) and enough_refused(writers, filled))
                filler.unlink()
                ended += back_again(site)
                seconds.append(resumed(site, writers, time.monotonic()))
        site.assert_done_once(writers.acknowledged)
        note("write-ahead log", writers, began, seconds, postgresql_ended=ended)


def log_is_full(site: Deployment) -> bool:
    """A busy neighbour writes until there is no room. PostgreSQL may recover, and then have some again."""
    with contextlib.suppress(psycopg.OperationalError), site.above() as session:
        while True:
            session.execute(MUCH_LOG)
    return True


def enough_refused(writers: Writers, since: float) -> bool:
    return len([reply for reply in writers.since(since) if reply.status == 503]) >= ENOUGH_REFUSALS


def back_again(site: Deployment) -> bool:
    """Wait until PostgreSQL is back; whether it had ended, and was started as `make up` and systemd would."""
    server, ended = site.server, False

    def back() -> bool:
        nonlocal ended
        assert server.process
        if server.process.poll() is not None:
            ended = True
            server.start()
        with contextlib.suppress(psycopg.OperationalError):
            return bool(site.rows("SELECT 1"))
        return False

    patiently(back, every_seconds=0.02)
    return ended
