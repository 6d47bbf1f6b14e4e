"""From an older PostgreSQL to the embedded one, as docs/backups.md says: with the newer one's pg_dump."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from smartqueue.pghome import die_with_parent, server_account
from tests.processes import patiently
from tests.proofs import figure
from tests.scenarios.drill import Place, alone, by_hand, shell, state_folder

OLDER = Path("/usr/lib/postgresql/15/bin")
ENQUEUE = """
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.models import Org
org, _ = Org.objects.get_or_create(slug="acme", name="Acme")
new = [NewJob(type="python", payload={"task": "demo.add", "kwargs": {"a": 1, "b": n}}) for n in range(20)]
enqueue_many(new, org=org, user=None)
"""


@contextmanager
def older_server(folder: Path) -> Iterator[str]:
    """Its superuser's address. Whoever reaches its socket, in a closed folder, is let in."""
    folder.mkdir(mode=0o700)
    options: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:
        account = server_account()
        os.chown(folder, account.pw_uid, account.pw_gid)
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = ["-D", str(folder / "data")]
    initdb = [str(OLDER / "initdb"), *data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    subprocess.run([*initdb, "--no-sync"], check=True, **options)
    where = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    command = [str(OLDER / "postgres"), *data, *where]
    with subprocess.Popen(command, preexec_fn=die_with_parent(signal.SIGINT), **options) as server:
        try:
            patiently(lambda: (folder / ".s.PGSQL.5432").exists())
            yield f"postgres://postgres@{quote(str(folder), safe='')}"
        finally:
            server.send_signal(signal.SIGINT)


def connected(url: str) -> psycopg.Connection[Any] | None:
    try:
        return psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError:
        return None


@pytest.mark.skipif(not OLDER.exists(), reason="NOT TESTED FROM AN OLDER POSTGRESQL: postgresql-15 is not installed")
def test_jobs_of_an_older_server_are_done_on_the_embedded_one(tmp_path: Path) -> None:
    with state_folder("older") as state, state_folder("newer") as parent, state_folder("backup") as backup:
        old, new = Place(state, tmp_path), Place(parent / "state", tmp_path / "new")
        (tmp_path / "new").mkdir()
        with older_server(state / "fifteen") as address:
            with patiently(lambda: connected(f"{address}/postgres")) as session:
                session.execute("CREATE ROLE smartqueue LOGIN")
                session.execute("CREATE DATABASE smartqueue OWNER smartqueue")
            url = address.replace("postgres@", "smartqueue:none@") + "/smartqueue"
            old.fleet.environ["DATABASE_URL"] = url
            old.manage("migrate")
            old.manage("shell", "-c", ENQUEUE)
            old.manage("runworker", "--until-empty")
            old.manage("shell", "-c", ENQUEUE)
            by_hand(old, "Take a dump", BACKUP=str(backup), DATABASE_URL=url)
            old.fleet.close()
        shell("Restore a dump", environ={**new.fleet.environ, "BACKUP": str(backup)})
        with alone(new):
            by_hand(new, "Into an empty database", BACKUP=str(backup))
            before = new.rows("SELECT status, count(*) FROM jobs_job GROUP BY 1 ORDER BY 1")
            new.manage("runworker", "--until-empty")
            after = new.rows("SELECT status, count(*) FROM jobs_job GROUP BY 1 ORDER BY 1")

    figure("backup from PostgreSQL 15 to 18", jobs=40, done_before=20, done_after=dict(after).get("done"))
    assert before == [("done", 20), ("queued", 20)]
    assert after == [("done", 40)]
