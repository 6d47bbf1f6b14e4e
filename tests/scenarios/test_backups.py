"""docs/backups.md, word for word: a deployment under load is lost, and put up again from a dump and from the log."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from psycopg.conninfo import make_conninfo

from smartqueue.embedded import CONF, Server
from tests.chaos.invariants import QUERIES
from tests.processes import patiently
from tests.proofs import figure, times
from tests.scenarios.clients import Small, load_on, under_way
from tests.scenarios.drill import BLOCKS, Place, alone, by_hand, shell, state_folder

# Those about tasks that the load here has none of.
INVARIANTS = {name: query for name, query in QUERIES.items() if "effect" not in name}
HELD = 3


@dataclass
class Lost:
    """A deployment that is no more: what is left of it, and what it had told its clients."""

    backup: Path
    wal: Path
    token: str = ""
    artefact: str = ""
    before_dump: set[str] = field(default_factory=set)
    before_moment: set[str] = field(default_factory=set)
    after_moment: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    gate: Path = Path()
    moment: str = ""
    epoch: int = 0
    dump_seconds: float = 0.0
    # how far the clock was set while it worked, if only for a moment
    set_seconds: float = 0.0


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """Backed up in both ways while it works; then its host is gone."""
    logs = tmp_path_factory.mktemp("lost")
    with state_folder("backup") as backup, state_folder("lost") as state:
        lost = Lost(backup / "by-us", backup / "wal", gate=logs / "gate")
        archive = f"test ! -f {lost.wal}/%f && cp %p {lost.wal}/%f.part && mv {lost.wal}/%f.part {lost.wal}/%f"
        server = Server(state, {**CONF, "archive_mode": "on", "archive_command": archive})
        for folder in (lost.backup, lost.wal):
            folder.mkdir(mode=0o700)
            server.give(folder)
        server.start()
        server.role_ready()
        place = Place(state, logs)
        try:
            place.manage("migrate")
            work_and_back_up(place, server, lost, logs)
        finally:
            place.fleet.close()
            server.stop()
            server.destroy()
        yield lost


def work_and_back_up(place: Place, server: Server, lost: Lost, logs: Path) -> None:
    web = place.start_all()
    with clock_watched(lost), load_on(web, logs, times(20, 50)) as load:
        lost.token, lost.artefact = load.token, leave_a_file(load)
        hold(load, lost, place)
        as_account = {"PATH": f"{server.binaries}:{os.environ['PATH']}", "BACKUP": str(lost.backup)}
        as_account["ADMIN_URL"] = make_conninfo(**server.superuser())
        account = server.account and server.account.pw_uid
        shell("Base backups and the archive of the log", environ=as_account, account=account)
        under_way(load)

        lost.before_dump, lost.epoch = load.acknowledged(), place.value("SELECT max(epoch) FROM jobs_leaderterm")
        began = time.monotonic()
        by_hand(place, "Take a dump", BACKUP=str(lost.backup))
        lost.dump_seconds = time.monotonic() - began
        under_way(load)

        lost.before_moment, lost.moment = load.acknowledged(), place.value("SELECT clock_timestamp()::text")
        under_way(load)
    lost.after_moment = place.ids(f"created_at > '{lost.moment}'")
    # as archive_timeout does, sooner or later
    with psycopg.connect(**server.superuser(), autocommit=True) as session:
        (segment,) = session.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()[0]
    patiently(lambda: (lost.wal / segment).exists())


@contextmanager
def clock_watched(lost: Lost) -> Iterator[None]:
    """Notes how far the clock is set, also where it is set forth and back again."""
    ended, apart = threading.Event(), time.time() - time.monotonic()

    def watch() -> None:
        while not ended.wait(0.01):
            lost.set_seconds = max(lost.set_seconds, abs(time.time() - time.monotonic() - apart))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def submit(load: Small, task: str, **kwargs: Any) -> str:
    body = {"type": "python", "payload": {"task": task, "kwargs": kwargs}}
    return str(load.until_answered("POST", "/api/v1/jobs/", body)["id"])


def hold(load: Small, lost: Lost, place: Place) -> None:
    """Some jobs that run for as long as there is no gate."""
    lost.held = {submit(load, "tests.until_file", path=str(lost.gate)) for _ in range(HELD)}
    patiently(lambda: place.value("SELECT count(*) FROM jobs_lease WHERE name = 'tests.until_file'") == HELD)


def leave_a_file(load: Small) -> str:
    """The address of what a job has left."""
    job = f"/api/v1/jobs/{submit(load, 'child_tasks.about_me')}/"
    patiently(lambda: load.call("GET", job)[1].get("status") == "done")
    return f"{job}artefacts/{load.call('GET', job)[1]['result']['artefact']}/"


# --- and put up again -----------------------------------------------------------------------------------------------


def assert_it_works(place: Place, lost: Lost, ids: set[str]) -> None:
    """Every job ends, those that ran are tried again; its clients are known, and new jobs are done."""
    assert place.ids("id IN (SELECT job_id FROM jobs_lease)") >= lost.held
    lost.gate.touch()
    web = place.start_all()
    load = Small(web.removeprefix("http://"), place.state, 1.0, name="again")
    load.token = lost.token
    ready = load.until_answered("GET", "/readyz", {})
    assert ready["checks"] == {"database": "ok", "migrations": "ok", "durability": "ok", "row_security": "ok"}
    new = submit(load, "demo.add", a=1, b=2)

    patiently(lambda: place.ids("status NOT IN ('done', 'cancelled')") == set())

    assert place.ids() == {*ids, new}
    held = "SELECT outcome, count(*) FROM jobs_attempt WHERE name = 'tests.until_file' GROUP BY 1 ORDER BY 1"
    assert place.rows(held) == [("done", HELD), ("lost", HELD)]
    assert {name: found for name, query in INVARIANTS.items() if (found := place.rows(query))} == {}
    assert place.value("SELECT min(epoch) FROM jobs_leaderterm WHERE ended_at IS NULL") > lost.epoch
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        place.rows("DELETE FROM orgs_auditentry RETURNING id")
    kept = urllib3.request("GET", web + lost.artefact, headers={"Authorization": f"Bearer {lost.token}"})
    assert (kept.status, kept.data) == (200, bytes(range(256)) * 4000)


def test_from_a_dump_all_is_there_that_was_acknowledged_before_it(lost: Lost, tmp_path: Path) -> None:
    with state_folder("again") as parent:
        place = Place(parent / "state", tmp_path)
        shell("Restore a dump", environ={**place.fleet.environ, "BACKUP": str(lost.backup)})
        with alone(place):
            began = time.monotonic()
            by_hand(place, "Into an empty database", BACKUP=str(lost.backup))
            took = time.monotonic() - began
            ids = place.ids()
            figure(
                "backup restored from a dump",
                jobs=len(ids),
                dump_seconds=round(lost.dump_seconds, 1),
                restore_seconds=round(took, 1),
                acknowledged_before_and_lost=len(lost.before_dump - ids),
                acknowledged_after_and_lost=len((lost.before_moment | lost.after_moment) - ids),
            )
            assert lost.before_dump <= ids
            assert not ids & lost.after_moment
            assert_it_works(place, lost, ids)


def test_from_the_log_all_is_there_that_was_acknowledged_before_the_moment(lost: Lost, tmp_path: Path) -> None:
    with state_folder("until") as state:
        place = Place(state, tmp_path)
        server = Server(state)
        shutil.copy(lost.backup / "secrets.json", state)
        where = {"PATH": os.environ["PATH"], "BACKUP": str(lost.backup), "WAL": str(lost.wal)}
        where |= {"UNTIL": lost.moment, "DATA": str(state / "data")}
        shell("Go back to a moment", environ=where)
        for path in [server.data, *server.data.rglob("*")] if server.account else []:
            shutil.chown(path, server.account.pw_uid, server.account.pw_gid)
        shutil.unpack_archive(lost.backup / "artefacts.tar", state)
        began = time.monotonic()
        server.start()
        try:
            took = time.monotonic() - began
            ids = place.ids()
            figure(
                "backup restored to a moment",
                jobs=len(ids),
                recovery_seconds=round(took, 1),
                acknowledged_before_and_lost=len(lost.before_moment - ids),
                later_than_the_moment_and_there=len(ids & lost.after_moment),
            )
            if lost.set_seconds > 0.01:
                # the moment came twice, or never: the log is read to the first commit after it
                pytest.skip(f"this machine's clock was set by {lost.set_seconds:.2f} s while the log was written")
            assert lost.before_moment <= ids
            assert lost.before_moment > lost.before_dump
            assert not ids & lost.after_moment
            assert_it_works(place, lost, ids)
        finally:
            place.fleet.close()
            server.stop()
            server.destroy()


def test_every_command_of_the_text_is_run() -> None:
    typed = "".join((Path(__file__).parent / name).read_text() for name in ("drill.py", "test_backups.py"))
    assert [heading for heading in BLOCKS if f'"{heading}"' not in typed] == []
    assert len(BLOCKS) == 7
