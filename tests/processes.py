"""Real processes against the test's database: started, waited for by their rows, and always ended by their pid."""

import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from django.db import connection

from jobs.models import LeaderTerm, WorkerProcess
from tests.eventually import eventually
from tests.process import Process

# Processes take their time to start, and share the machine with other tests.
patiently = partial(eventually, within_seconds=120.0)
# Everything that takes seconds takes less: the rules are the same.
QUICK = {
    "SMARTQUEUE_LEASE_SECONDS": "3",
    "SMARTQUEUE_LEASE_RENEW_SECONDS": "0.5",
    "SMARTQUEUE_HEARTBEAT_SECONDS": "0.5",
    "SMARTQUEUE_WORKER_DEAD_SECONDS": "3",
    "SMARTQUEUE_WATCHDOG_SECONDS": "0.2",
    "SMARTQUEUE_PROMOTE_SECONDS": "0.1",
    "SMARTQUEUE_RETRY_BASE_SECONDS": "0.2",
    "SMARTQUEUE_RETRY_JITTER_SECONDS": "0",
    "SMARTQUEUE_DRAIN_GRACE_SECONDS": "2",
    "SMARTQUEUE_LOG_LEVEL": "INFO",
}


class Fleet:
    """The processes of one test."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.environ = {**os.environ, **QUICK, "DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1", **environ}
        self.processes: list[Process] = []

    def start(self, command: list[str], *fds: int, **environ: str) -> Process:
        log_path = self.folder / f"{len(self.processes)}-{command[1].strip('-')[-12:]}.log"
        process = Process(command, log_path, {**self.environ, **environ}, *fds)
        self.processes.append(process)
        return process

    def manage(self, *words: str, **environ: str) -> Process:
        return self.start([sys.executable, "manage.py", *words], **environ)

    def workers(self, count: int, *words: str, **environ: str) -> list[Process]:
        """Started together; all registered and listening."""
        return self.ready([self.manage("runworker", *words, **environ) for _ in range(count)])

    def scheduler(self) -> Process:
        return self.manage("runscheduler")

    def watchdog(self) -> Process:
        return self.manage("runwatchdog")

    def ready(self, processes: list[Process]) -> list[Process]:
        pids = {process.pid for process in processes}

        def registered() -> bool:
            for process in processes:
                assert process.running, process.text
            return set(online_pids()) >= pids

        patiently(registered)
        return processes

    def web(self, threads: int = 4, log_level: str = "WARNING") -> str:
        """A gunicorn of two processes; its address."""
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            command = [sys.executable, "-m", "gunicorn", "smartqueue.wsgi:application", "--no-control-socket"]
            options = [
                "--worker-class",
                "smartqueue.web_worker.WebWorker",
                "--workers",
                "2",
                "--threads",
                str(threads),
                "--preload",
            ]
            # as in programs.py: longer than clients keep an idle connection
            options += ["--keep-alive", "75"]
            self.start(
                [*command, "--bind", f"fd://{listener.fileno()}", *options],
                listener.fileno(),
                SMARTQUEUE_LOG_LEVEL=log_level,
            )
            port = listener.getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def close(self) -> None:
        for process in self.processes:
            process.close()


def below(worker: Process) -> list[psutil.Process]:
    """All that a worker has started, its fork servers aside."""
    found = []
    for child in psutil.Process(worker.pid).children(recursive=True):
        # one may end while it is looked at
        with suppress(psutil.NoSuchProcess):
            if child.ppid() != worker.pid and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def database_url() -> str:
    """The test's database, which has a name of its own."""
    wanted: dict[str, Any] = connection.settings_dict
    user, password, host = (quote(str(wanted[name]), safe="") for name in ("USER", "PASSWORD", "HOST"))
    port = f":{wanted['PORT']}" if wanted["PORT"] else ""
    return f"postgres://{user}:{password}@{host}{port}/{wanted['NAME']}"


def online_pids() -> list[int]:
    return list(WorkerProcess.objects.filter(status="online").values_list("pid", flat=True))


def leader_pid() -> int | None:
    return LeaderTerm.objects.filter(ended_at__isnull=True).values_list("pid", flat=True).first()


def database_now() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


class Receiver(ThreadingHTTPServer):
    """A web server of ours that http jobs call; it counts the calls by job."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CountingHandler)
        self.hits: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class CountingHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.hits[self.headers["Idempotency-Key"]] += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
