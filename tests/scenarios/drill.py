"""A deployment in a state folder of its own, and what docs/backups.md says to do with it, typed word for word."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql as names

from smartqueue.embedded import DATABASE, ROLE
from smartqueue.pghome import socket_dir
from smartqueue.state import secret
from tests.process import ROOT
from tests.processes import Fleet, patiently

TEXT = (ROOT / "docs" / "backups.md").read_text(encoding="utf-8")
# By heading, all that is to be typed under it.
BLOCKS = {
    heading: "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for heading, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    if "```sh" in text
}
PROGRAMS = "The programs and the addresses"


@contextmanager
def state_folder(name: str) -> Iterator[Path]:
    """Where any account may pass, so that PostgreSQL's can."""
    with TemporaryDirectory(prefix=f"smartqueue-{name}-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def shell(*headings: str, environ: dict[str, str], account: int | None = None) -> None:
    """What stands under some headings, typed by someone who has these variables."""
    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(BLOCKS[heading] for heading in headings)],
        cwd=ROOT if account is None else "/",
        env=environ,
        user=account,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def url_of(state: Path) -> str:
    password = quote(secret("database_password", state), safe="")
    return f"postgres://{ROLE}:{password}@{quote(str(socket_dir(state)), safe='')}/{DATABASE}"


class Place:
    """A state folder, whose PostgreSQL is started by each test in its own way, and processes that use it."""

    def __init__(self, state: Path, logs: Path) -> None:
        self.state = state
        self.fleet = Fleet(logs, SMARTQUEUE_STATE_DIR=str(state), DATABASE_URL="")
        # as for who types the commands of the documentation
        self.fleet.environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SMARTQUEUE_DEBUG": "1"}

    def rows(self, text: Any) -> list[Any]:
        with psycopg.connect(url_of(self.state), autocommit=True) as session:
            return session.execute(text).fetchall()

    def value(self, text: str) -> Any:
        return self.rows(text)[0][0]

    def ids(self, where: str = "true") -> set[str]:
        """Those of the jobs of which this is true."""
        query = names.SQL("SELECT id::text FROM jobs_job WHERE {}").format(names.SQL(where))
        return {job_id for (job_id,) in self.rows(query)}

    def manage(self, *words: str) -> None:
        process = self.fleet.manage(*words)
        assert process.ended(120) == 0, process.text

    def start_all(self) -> str:
        """One of each; the web's address."""
        self.fleet.environ["DATABASE_URL"] = url_of(self.state)
        self.fleet.manage("runworker", "--concurrency", "6")
        self.fleet.scheduler()
        self.fleet.watchdog()
        return self.fleet.web()


def by_hand(place: Place, heading: str, **environ: str) -> None:
    """With the programs and addresses of the place, as the documentation says to find them."""
    mine = {name: value for name, value in place.fleet.environ.items() if name != "DATABASE_URL"}
    shell(PROGRAMS, heading, environ={**mine, **environ})


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """The embedded server, as one starts it by hand."""
    process = place.fleet.start(["sh", "-c", BLOCKS["The embedded server alone"]])
    try:
        patiently(lambda: "ready" in process.text)
        yield
    finally:
        place.fleet.close()
        patiently(lambda: not servers_of(place.state))


def servers_of(state: Path) -> list[int]:
    found = psutil.process_iter(["cmdline"])
    return [process.pid for process in found if str(state) in " ".join(process.info["cmdline"] or [])]
