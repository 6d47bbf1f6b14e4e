"""A terminal that is drawn upon, and is as it was afterwards, however that ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from typing import Any

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, TO_END_OF_LINE, TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


class Ended(Exception):
    """SIGTERM or SIGHUP."""


class Screen:
    """Only on a terminal, with standard input from it too or not."""

    def __init__(self) -> None:
        self.keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self.former: list[Any] = []
        self.handlers: list[tuple[int, Any]] = []

    def __enter__(self) -> Screen:
        for signum in (signal.SIGTERM, signal.SIGHUP):
            self.handlers.append((signum, signal.signal(signum, self.end)))
        if self.keys is not None:
            self.former = termios.tcgetattr(self.keys)
            # single keys, unseen; Ctrl-C is still a signal
            tty.setcbreak(self.keys)
        self.write(ENTER)
        return self

    def __exit__(self, kind: Any, *_: Any) -> bool:
        self.write(LEAVE)
        if self.keys is not None:
            termios.tcsetattr(self.keys, termios.TCSADRAIN, self.former)
        for signum, handler in self.handlers:
            signal.signal(signum, handler)
        # asked to end is no failure
        return kind is Ended

    def end(self, *_: Any) -> None:
        raise Ended

    def size(self) -> tuple[int, int]:
        found = shutil.get_terminal_size()
        return found.columns, found.lines

    def draw(self, lines: Sequence[str]) -> None:
        """In place of what was there, without a flicker: each line is written over and cleared to its end."""
        shown = lines[: self.size()[1] - 1]
        self.write(HOME + "".join(f"{line}{TO_END_OF_LINE}\r\n" for line in shown) + TO_END)

    def left(self, seconds: float) -> bool:
        """Wait so long; whether `q` was pressed meanwhile."""
        watched = [] if self.keys is None else [self.keys]
        if not select.select(watched, [], [], seconds)[0] or self.keys is None:
            return False
        return os.read(self.keys, 64).lower()[:1] in (b"q", b"")

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
