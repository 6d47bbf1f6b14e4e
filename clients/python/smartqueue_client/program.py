"""A program that runs for one job: its payload in, its lines out, and its whole process group ended when asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

LAUNCH = str(Path(__file__).with_name("launch.py"))
# Between SIGTERM and SIGKILL.
TERM_SECONDS = 0.7
# For what a process that outlived the program, out of its group, still holds open.
PIPE_SECONDS = 1.0
LINE_BYTES = 64_000
TAIL_LINES, TAIL_CHARACTERS = 50, 4_000
MOST_WAITING = 100_000

Line = dict[str, str]


class Program:
    """Runs from the beginning; each line is there once, in take()."""

    def __init__(self, argv: Sequence[str], payload: Any, **environ: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", LAUNCH, str(os.getpid()), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
            start_new_session=True,
        )
        self._lines: deque[Line] = deque(maxlen=MOST_WAITING)
        self.last_line = ""
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        popen = self._popen
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", popen.stdout), ("stderr", popen.stderr))
        ]
        for thread in (*self._readers, threading.Thread(target=self._feed, args=(payload,), daemon=True)):
            thread.start()

    def _feed(self, payload: Any) -> None:
        assert self._popen.stdin is not None
        # it need not read it
        with contextlib.suppress(OSError), self._popen.stdin as pipe:
            pipe.write(json.dumps(payload, ensure_ascii=False).encode())

    def _read(self, stream: str, pipe: IO[bytes]) -> None:
        with pipe:
            while data := pipe.readline(LINE_BYTES):
                text = data.decode("utf-8", "replace").rstrip("\r\n").replace("\0", "\ufffd")
                self._lines.append({"stream": stream, "text": text})
                if stream == "stderr":
                    self._tail.append(text)
                elif text.strip():
                    self.last_line = text

    def take(self, most: int) -> list[Line]:
        """Lines since the last time."""
        return [self._lines.popleft() for _ in range(min(most, len(self._lines)))]

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal, once it has ended."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Ask it to stop, then stop it, with all that it has started."""
        self._signal(signal.SIGTERM)
        self.wait(TERM_SECONDS)
        self.close()

    def close(self) -> None:
        """Nothing of its group is left, and its lines are read."""
        self._signal(signal.SIGKILL)
        self._popen.wait()
        for thread in self._readers:
            thread.join(PIPE_SECONDS)

    def _signal(self, signum: signal.Signals) -> None:
        # of the group, which is there while one of its processes is
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signum)

    def result(self) -> Any:
        """What its last line says: JSON, else text."""
        try:
            return json.loads(self.last_line, parse_constant=refuse)
        except ValueError:
            return self.last_line or None

    def complaint(self, code: int) -> str:
        """What a failure is told with."""
        how = f"exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"
        return "\n".join([how, *self._tail])[-TAIL_CHARACTERS:]


def refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
