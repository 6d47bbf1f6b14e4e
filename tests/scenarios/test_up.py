"""`manage.py up` as a person runs it: one command, real processes, signals."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest
import urllib3

from jobs.durability import ASKED, off
from smartqueue.database import database_url
from smartqueue.embedded import Server
from tests.eventually import eventually

ROOT = Path(__file__).parent.parent.parent
NAMES = ("web", "scheduler", "worker", "watchdog")


class Copy:
    """A running `up`, with what it has printed."""

    def __init__(self, state: Path, **environ: str) -> None:
        dropped = ("DATABASE_URL", "SMARTQUEUE_TESTING", "SMARTQUEUE_TASK_MODULES", "SMARTQUEUE_LOG_LEVEL", "MAKELEVEL")
        base = {name: value for name, value in os.environ.items() if name not in dropped}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smartqueue"],
            cwd=ROOT,
            env={**base, "SMARTQUEUE_STATE_DIR": str(state), "DEMO": "0", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.state = state
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def url(self) -> str:
        def printed() -> str | None:
            assert self.process.poll() is None, self.text
            found = re.search(r"SmartQueue is up: (http://\S+/)", self.text)
            return found[1] if found and "Ctrl-C stops everything" in self.text else None

        return eventually(printed, within_seconds=90)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, signum: signal.Signals = signal.SIGINT, within_seconds: float = 20.0) -> int:
        self.process.send_signal(signum)
        status = self.process.wait(within_seconds)
        self.reader.join(5)
        return status

    def close(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in [*self.family(), psutil.Process(self.process.pid)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait(10)
        self.reader.join(5)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with TemporaryDirectory(prefix="smartqueue up ") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder, "state")


@pytest.fixture
def copies(state: Path) -> Iterator[list[Copy]]:
    copies: list[Copy] = []
    yield copies
    for copy in copies:
        copy.close()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


def get(url: str) -> int:
    return urllib3.request("GET", url, retries=False, timeout=30).status


def gone(family: list[psutil.Process]) -> bool:
    return not any(alive(one) for one in family)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_from_nothing_to_a_url_that_works_and_to_nothing_again(state: Path, copies: list[Copy]) -> None:
    copy = Copy(state, PORT=free_port())
    copies.append(copy)
    url = copy.url()

    assert (get(f"{url}readyz"), get(f"{url}healthz")) == (200, 200)
    assert json.loads((state / "up.json").read_text()) == {"pid": copy.process.pid, "url": url}
    for told in ("web, worker, scheduler, watchdog", str(state / "data"), str(state / "logs"), "api/v1/docs/"):
        assert told in copy.text

    second = Copy(state, PORT=free_port())
    copies.append(second)
    assert second.process.wait(30) == 0
    second.reader.join(5)
    assert f"already running at {url} (pid {copy.process.pid})" in second.text

    family = copy.family()
    begun = time.monotonic()
    status = copy.end(signal.SIGINT)
    assert status == 130
    assert time.monotonic() - begun < 12.0
    assert gone(family)
    log = (state / "logs" / "postgresql.log").read_text()
    assert "database system is shut down" in log
    # it was there to the last: every process could write that it goes
    assert "could not say goodbye" not in copy.text
    assert not (state / "up.json").exists()


def test_a_dead_child_is_started_again(state: Path, copies: list[Copy]) -> None:
    copy = Copy(state, PORT=free_port())
    copies.append(copy)
    url = copy.url()
    victims = [one for one in psutil.Process(copy.process.pid).children() if "gunicorn" in " ".join(one.cmdline())]

    os.kill(victims[0].pid, signal.SIGKILL)

    eventually(lambda: "was killed by SIGKILL; starting again in 0.5 s" in copy.text)
    eventually(lambda: "web       | starting again" in copy.text)
    # the socket stayed open all the while
    assert get(f"{url}readyz") == 200
    copy.end()


def test_a_taken_port_moves_on_and_says_so(state: Path, copies: list[Copy]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        copy = Copy(state, PORT=str(port))
        copies.append(copy)
        url = copy.url()

        assert f"port {port} is taken by" in copy.text
        assert f":{port}/" not in url
        assert get(f"{url}healthz") == 200
        copy.end(signal.SIGTERM)


def test_a_killed_copy_leaves_nothing_and_the_next_one_starts(state: Path, copies: list[Copy]) -> None:
    copy = Copy(state, PORT=free_port())
    copies.append(copy)
    copy.url()
    family = copy.family()

    copy.process.kill()
    copy.process.wait()

    eventually(lambda: gone(family), within_seconds=15)
    after = Copy(state, PORT=free_port())
    copies.append(after)
    assert get(f"{after.url()}readyz") == 200
    assert "cleaned up after a copy that was killed" in after.text
    after.end()


def test_ctrl_c_while_starting_ends_at_once_and_leaves_nothing(state: Path, copies: list[Copy]) -> None:
    copy = Copy(state, PORT=free_port())
    copies.append(copy)
    eventually(lambda: "embedded PostgreSQL" in copy.text, within_seconds=30)
    family = copy.family()

    status = copy.end(signal.SIGINT)

    assert status == 130
    assert gone(family)


def test_with_database_url_that_server_is_used_and_left_running(copies: list[Copy]) -> None:
    with TemporaryDirectory(prefix="smartqueue-url-") as theirs, TemporaryDirectory(prefix="smartqueue-url-") as folder:
        Path(theirs).chmod(0o711)
        server = Server(Path(theirs))
        server.start()
        try:
            server.role_ready()
            own = url_of(Path(theirs))
            copy = Copy(Path(folder, "state"), PORT=free_port(), DATABASE_URL=own, SMARTQUEUE_DEBUG="1")
            copies.append(copy)
            eventually(lambda: "PostgreSQL of DATABASE_URL" in copy.text, within_seconds=60)
            eventually(lambda: has_worker(own), within_seconds=60)
            assert not (Path(folder, "state") / "data").exists()
            copy.end(signal.SIGINT)
            assert has_worker(own)
        finally:
            server.stop()
            server.destroy()


def test_a_server_that_loses_what_it_acknowledges_is_refused(copies: list[Copy]) -> None:
    """As the one of these tests does, where it is of their own."""
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        names = off(list(connection.execute(f"SELECT {ASKED}").fetchone() or ()))
    if not names:
        pytest.skip("the PostgreSQL of DATABASE_URL loses nothing")
    with TemporaryDirectory(prefix="smartqueue-url-") as folder:
        copy = Copy(Path(folder, "state"), PORT=free_port(), DATABASE_URL=url, SMARTQUEUE_DEBUG="1")
        copies.append(copy)

        assert copy.process.wait(60) == 1
        copy.reader.join(5)
        assert f"loses what it acknowledges: {', '.join(names)} off" in copy.text


def url_of(state: Path) -> str:
    """Of the database of an embedded server."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SMARTQUEUE_STATE_DIR", str(state))
        patched.delenv("DATABASE_URL")
        return database_url()


def has_worker(url: str) -> bool:
    with contextlib.suppress(psycopg.Error), psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM jobs_workerprocess WHERE kind = 'worker'").fetchone()
        return bool(row and row[0])
    return False


def test_without_secrets_it_does_not_start_outside_development(state: Path, copies: list[Copy]) -> None:
    copy = Copy(state, PORT=free_port(), SMARTQUEUE_DEBUG="0")
    copies.append(copy)

    assert copy.process.wait(30) == 1
    copy.reader.join(5)
    assert "SECRET_KEY must be set to at least 32 random characters" in copy.text
