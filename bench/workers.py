"""Worker processes of one measure: started, looked at, ended by their own handles."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from smartqueue.pghome import die_with_parent

ROOT = Path(__file__).parent.parent
STOP_SECONDS = 20.0


def start(command: Sequence[str], environ: Mapping[str, str], log: Path, *fds: int) -> subprocess.Popen[bytes]:
    """In a process group of its own; what it writes is appended to the log."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            pass_fds=fds,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )


@contextmanager
def running(
    commands: Sequence[Sequence[str]], environ: Mapping[str, str], log: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [start(command, environ, log) for command in commands]
    try:
        yield started
    finally:
        stop(started)


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """In good order; harder, with what they started, where one does not end."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for one in tree(process.pid):
                one.kill()
            process.wait()


def tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def megabytes(pid: int) -> float:
    """The memory of a process and its children; what they share is counted once (PSS)."""
    return float(sum(one.memory_full_info().pss for one in tree(pid)) / 1e6)
