"""The processes that make up a running SmartQueue: their command lines and environment."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from smartqueue.pghome import die_with_parent
from smartqueue.ports import address_url, allowed_hosts
from smartqueue.supervisor import Child

BASE_DIR = Path(__file__).resolve().parent.parent
# A log of an earlier run is put aside at start once it is this long.
LOG_MAX_BYTES = 10_000_000


def children(state: Path, listener: socket.socket, *, trickle: bool) -> tuple[list[Child], list[Child]]:
    """What a first job needs, and what is started after it. The listening socket is ours, so that a restart of the
    web refuses nobody."""
    environ = environment(state, listener)
    manage = [sys.executable, str(BASE_DIR / "manage.py")]
    first = [
        child("web", web_command(listener), state, environ, listener.fileno()),
        child("worker", [*manage, "runworker", "--queues", "*", "--concurrency", "5"], state, environ),
    ]
    later = [
        child("scheduler", [*manage, "runscheduler"], state, environ),
        child("watchdog", [*manage, "runwatchdog"], state, environ),
    ]
    if trickle:
        later.append(child("demo", [*manage, "demo_trickle"], state, environ))
    return first, later


def web_command(listener: socket.socket) -> list[str]:
    # No access log: smartqueue.logs writes a line per request. The code is loaded once, before the fork. Workers are
    # replaced now and then, so that a slow leak in a library stays small.
    return [
        *(sys.executable, "-m", "gunicorn", "smartqueue.wsgi:application", "--bind", f"fd://{listener.fileno()}"),
        *(
            "--worker-class",
            "smartqueue.web_worker.WebWorker",
            "--preload",
            "--workers",
            "2",
            "--threads",
            "8",
            "--graceful-timeout",
            "5",
        ),
        # seldom: a process that is replaced closes connections on which a request may be on its way
        *("--max-requests", "100000", "--max-requests-jitter", "10000", "--no-control-socket"),
        # longer than proxies and clients keep an idle connection, for the same reason
        *("--keep-alive", "75"),
        # as long as it takes: up to there an address that is too long gets our own answer
        *("--limit-request-line", "8190"),
    ]


def environment(state: Path, listener: socket.socket) -> dict[str, str]:
    # The database's password is not in here: each process finds it below the state folder.
    metrics = state / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    return {
        "SMARTQUEUE_DEBUG": "1",
        "ALLOWED_HOSTS": ",".join(allowed_hosts(listener)),
        "SMARTQUEUE_PUBLIC_URL": address_url(listener),
        **os.environ,
        "SMARTQUEUE_STATE_DIR": str(state),
        "SMARTQUEUE_UP": str(os.getpid()),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
    }


def child(name: str, command: list[str], state: Path, environ: Mapping[str, str], *fds: int) -> Child:
    log_path = state / "logs" / f"{name}.log"
    put_aside(log_path)
    starts_with_us = die_with_parent(signal.SIGTERM)

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=fds,
            preexec_fn=starts_with_us,
        )

    return Child(name, spawn, log_path)


def put_aside(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > LOG_MAX_BYTES:
        log_path.replace(log_path.with_name(f"{log_path.name}.1"))


def left_of(pid: int, state: Path) -> Iterator[psutil.Process]:
    """What a supervisor of this pid and state folder started and is still alive."""
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except psutil.Error:
            continue
        if environ.get("SMARTQUEUE_UP") == str(pid) and environ.get("SMARTQUEUE_STATE_DIR") == str(state):
            yield process
