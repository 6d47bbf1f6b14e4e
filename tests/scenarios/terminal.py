"""sq as a person and as a program runs it: with pipes, or on a terminal of its own."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.process import ROOT

CLIENT = str(ROOT / "clients" / "python")
SQ = [sys.executable, "-m", "smartqueue_client"]
LINES, COLUMNS = 30, 120


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Person:
    """Whoever has this home; nothing else of ours is in his environment."""

    def __init__(self, home: Path, url: str, **environ: str) -> None:
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": CLIENT,
            "SMARTQUEUE_URL": url,
            "TERM": "xterm",
            "PYTHONUTF8": "1",
            **environ,
        }

    def sq(self, *words: str, input: str = "", **environ: str) -> Ran:
        done = subprocess.run(
            [*SQ, *words], env={**self.environ, **environ}, input=input, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str, input: str = "", **environ: str) -> Ran:
        ran = self.sq(*words, input=input, **environ)
        assert ran.code == 0, ran
        return ran

    def at_a_terminal(self, *words: str, **environ: str) -> "Terminal":
        return Terminal([*SQ, *words], {**self.environ, **environ})


class Terminal:
    """A pseudo terminal with one program on it."""

    def __init__(self, command: Sequence[str], environ: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(self.master)
        self.popen = subprocess.Popen(
            command, env=environ, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def read(self, seconds: float) -> None:
        """What comes within the time is in `text`."""
        if select.select([self.master], [], [], seconds)[0]:
            with suppress(OSError):
                self.text += os.read(self.master, 65_536).decode()

    def until(self, words: str, within_seconds: float = 60.0) -> str:
        end = time.monotonic() + within_seconds
        while words not in self.text:
            assert time.monotonic() < end, self.text
            self.read(0.2)
        return self.text

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def send(self, signum: signal.Signals) -> None:
        self.popen.send_signal(signum)

    def ended(self, within_seconds: float = 60.0) -> int:
        end = time.monotonic() + within_seconds
        while (code := self.popen.poll()) is None:
            assert time.monotonic() < end, self.text
            self.read(0.2)
        self.read(0.1)
        assert "Traceback" not in self.text
        return code

    def is_as_it_was(self) -> bool:
        """Whether keys are read as before, and the cursor and the screen of before are back."""
        same = termios.tcgetattr(self.master) == self.before
        return same and self.text.count("\x1b[?1049h") == self.text.count("\x1b[?1049l") == self.text.count("\x1b[?25h")

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        os.close(self.master)
