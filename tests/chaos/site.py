"""A deployment of its own: PostgreSQL, web, two of each process, and one pair behind a line that can be cut."""

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from smartqueue.database import database_url
from smartqueue.embedded import CONF, Server
from tests.process import Process

ENVIRON = {
    "PYTHONUNBUFFERED": "1",
    "SMARTQUEUE_DEBUG": "1",
    "SMARTQUEUE_LOG_LEVEL": "INFO",
    "SMARTQUEUE_TASK_MODULES": "smartqueue.demo.tasks,tests.tasks,tests.child_tasks",
    "SMARTQUEUE_RETRY_BASE_SECONDS": "0.5",
    "SMARTQUEUE_RETRY_JITTER_SECONDS": "0.5",
    "SMARTQUEUE_DRAIN_GRACE_SECONDS": "3",
    "SMARTQUEUE_ACCESS_TOKEN_SECONDS": "86400",
}
# As a supervisor such as systemd does.
RESTART_SECONDS = 0.3


class Line:
    """TCP to the server's socket, until it is cut: then nothing passes, and neither end is told."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name="line", daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.stopping.is_set():
            if self.cut.is_set():
                self.stopping.wait(0.05)
                continue
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self.join()
                elif key.data.fileno() >= 0:
                    # else its other end was closed a moment ago
                    self.carry(key.fileobj, key.data)

    def join(self) -> None:
        near, _ = self.listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.target)
        except OSError:
            near.close()
            far.close()
            return
        self.selector.register(near, selectors.EVENT_READ, far)
        self.selector.register(far, selectors.EVENT_READ, near)

    def carry(self, source: Any, sink: socket.socket) -> None:
        try:
            if chunk := source.recv(65_536):
                sink.sendall(chunk)
                return
        except OSError:
            pass
        for each in (source, sink):
            with contextlib.suppress(KeyError):
                self.selector.unregister(each)
            each.close()

    def close(self) -> None:
        self.stopping.set()
        self.thread.join()
        self.listener.close()


@dataclass
class Member:
    """One process of the deployment, which is started again whenever it has ended."""

    name: str
    command: list[str]
    environ: dict[str, str]
    descriptors: tuple[int, ...] = ()
    process: Process | None = None
    starts: int = 0
    logs: list[Path] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]


class Site:
    def __init__(self, state: Path, folder: Path) -> None:
        self.folder = folder
        self.server = Server(state, CONF)
        self.server.start()
        self.server.role_ready()
        os.environ["SMARTQUEUE_STATE_DIR"] = str(state)
        os.environ.pop("DATABASE_URL", None)
        self.url = database_url()
        self.environ = {**os.environ, **ENVIRON, "SMARTQUEUE_STATE_DIR": str(state), "DATABASE_URL": self.url}
        (unix_socket,) = self.server.socket_dir.glob(".s.PGSQL.*[0-9]")
        self.line = Line(str(unix_socket))
        self.web_listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"127.0.0.1:{self.web_listener.getsockname()[1]}"
        self.members: dict[str, Member] = {}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.supervisor = threading.Thread(target=self.supervise, name="supervisor", daemon=True)
        self.must("migrate")

    def must(self, *words: str) -> None:
        process = Process([sys.executable, "manage.py", *words], self.folder / f"{words[0]}.log", self.environ)
        assert process.ended(300) == 0, process.text
        process.close()

    def start(self) -> None:
        web = [sys.executable, "-m", "gunicorn", "smartqueue.wsgi:application", "--no-control-socket", "--preload"]
        options = [
            "--worker-class",
            "smartqueue.web_worker.WebWorker",
            "--workers",
            "2",
            "--threads",
            "8",
            "--graceful-timeout",
            "3",
        ]
        bind = ["--bind", f"fd://{self.web_listener.fileno()}"]
        self.add("web", [*web, *options, *bind], {}, self.web_listener.fileno())
        behind = {"DATABASE_URL": self.url_over_the_line()}
        for name, environ in (("a", {}), ("b", {}), ("cut", behind)):
            self.add(f"worker-{name}", self.manage("runworker", "--queues", "*", "--concurrency", "4"), environ)
            self.add(f"scheduler-{name}", self.manage("runscheduler"), environ)
        for name in ("a", "b"):
            self.add(f"watchdog-{name}", self.manage("runwatchdog"), {})
        self.supervisor.start()

    def manage(self, *words: str) -> list[str]:
        return [sys.executable, "manage.py", *words]

    def url_over_the_line(self) -> str:
        credentials = self.url.split("://")[1].rpartition("@")[0]
        return f"postgres://{credentials}@127.0.0.1:{self.line.port}/{self.url.rpartition('/')[2].partition('?')[0]}"

    def add(self, name: str, command: list[str], environ: dict[str, str], *descriptors: int) -> None:
        self.members[name] = Member(name, command, environ, descriptors)
        self.start_member(self.members[name])

    def start_member(self, member: Member) -> None:
        log = self.folder / f"{member.name}-{member.starts}.log"
        member.starts += 1
        member.logs.append(log)
        member.process = Process(member.command, log, {**self.environ, **member.environ}, *member.descriptors)

    def supervise(self) -> None:
        while not self.stopping.wait(RESTART_SECONDS):
            for member in self.members.values():
                with self.lock:
                    if member.process and not member.process.running and not self.stopping.is_set():
                        member.process.close()
                        self.start_member(member)

    def send(self, name: str, signum: signal.Signals) -> None:
        """To the process, and for the web to its children too."""
        process = self.members[name].process
        if process is None or not process.running:
            return
        if signum in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.send_signal(signum)
        process.send(signum)

    @contextlib.contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """To read: an outsider has no other right."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=3) as session:
            session.execute("SET default_transaction_read_only = on")
            yield session

    def leader(self) -> str | None:
        """The scheduler that leads, as far as can be told now."""
        with contextlib.suppress(psycopg.Error), self.session() as session:
            pids = [pid for (pid,) in session.execute("SELECT pid FROM jobs_leaderterm WHERE ended_at IS NULL")]
            leading = (name for name, one in self.members.items() if one.process and one.process.pid in pids)
            return next(leading, None)
        return None

    def end_database(self, signum: signal.Signals) -> None:
        assert self.server.process
        self.server.process.send_signal(signum)
        self.server.process.wait(60)

    def begin_database(self) -> float:
        """The moment at which it takes connections again."""
        self.server.start()
        return time.monotonic()

    def terminate_sessions(self) -> int:
        with psycopg.connect(**self.server.superuser(), autocommit=True) as session:
            (row,) = session.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
        return int(row[0])

    def text(self, kind: str) -> str:
        """All that members of a kind have logged."""
        logs = [log for member in self.members.values() if member.kind == kind for log in member.logs]
        return "".join(log.read_text(errors="replace") for log in logs)

    def close(self) -> None:
        self.stopping.set()
        if self.supervisor.is_alive():
            self.supervisor.join()
        for member in self.members.values():
            if member.process:
                member.process.close()
        self.line.close()
        self.web_listener.close()
        self.server.stop()
        self.server.destroy()
