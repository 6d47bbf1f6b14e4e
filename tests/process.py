"""A started program, without Django."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from smartqueue.pghome import die_with_parent

ROOT = Path(__file__).parent.parent


class Process:
    """A started program, and what it wrote."""

    def __init__(self, command: list[str], log_path: Path, environ: dict[str, str], *fds: int) -> None:
        self.log_path = log_path
        self._log: IO[bytes] = log_path.open("wb")
        self._popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=fds,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self.pid = self._popen.pid

    @property
    def text(self) -> str:
        return self.log_path.read_text(errors="replace")

    def send(self, signum: signal.Signals) -> None:
        self._popen.send_signal(signum)

    def ended(self, within_seconds: float = 60.0) -> int:
        """Its exit status, negative for a signal."""
        return self._popen.wait(within_seconds)

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def close(self) -> None:
        if self.running:
            ours = psutil.Process(self.pid)
            for process in [*ours.children(recursive=True), ours]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._popen.wait(10)
        self._log.close()
