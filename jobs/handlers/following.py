"""A running program from its start to its end: what it reads, what it writes, and how it is stopped."""

import contextlib
import os
import selectors
import subprocess
import time

from django.conf import settings

from jobs.handlers.base import Context, StopReason
from jobs.handlers.output import READ_BYTES, Output
from jobs.handlers.sandbox import READY, Running

POLL_SECONDS = 0.1
# How long pipes may stay open after everything that could write to them is dead.
PIPE_GRACE_SECONDS = 1.0


class Followed:
    """All of it in the attempt's own thread, with one selector over the program's three pipes."""

    def __init__(self, running: Running, context: Context, stdin: bytes) -> None:
        self.running = running
        self.process = running.process
        self.context = context
        limit = settings.SHELL_OUTPUT_MAX_BYTES
        self.stdout = Output(limit, lambda text: context.log(text, "stdout"))
        self.stderr = Output(limit, lambda text: context.log(text, "stderr"))
        self.stdin = stdin
        # In the sandbox the program begins when we answer its READY: see sandbox.GATE.
        self.begun = not running.sandboxed
        self.kill_at: float | None = None
        self.selector = selectors.DefaultSelector()

    def until_end(self) -> None:
        """Returns when the program and all it started are gone."""
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        try:
            self.selector.register(self.process.stdout, selectors.EVENT_READ, self.stdout)
            self.selector.register(self.process.stderr, selectors.EVENT_READ, self.stderr)
            if self.begun:
                self.feed_from_now()
            self.follow()
        finally:
            self.selector.close()
            self.close_stdin()
            self.running.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
        self.stdout.end()
        self.stderr.end()

    def follow(self) -> None:
        give_up_at = float("inf")
        while self.outputs() or self.process.poll() is None:
            if not self.outputs():
                self.wait()
            for key, _ in self.selector.select(POLL_SECONDS if self.outputs() else 0):
                if key.fileobj is self.process.stdin:
                    self.feed()
                else:
                    self.read(key)
            self.stop_if_asked()
            if self.process.poll() is not None:
                give_up_at = min(give_up_at, time.monotonic() + PIPE_GRACE_SECONDS)
                if time.monotonic() > give_up_at:
                    return

    def outputs(self) -> bool:
        """Whether there is still something to read from."""
        return any(key.fileobj is not self.process.stdin for key in self.selector.get_map().values())

    def wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(POLL_SECONDS)

    def read(self, key: selectors.SelectorKey) -> None:
        chunk = os.read(key.fd, READ_BYTES)
        if not chunk:
            self.selector.unregister(key.fileobj)
            return
        if key.data is self.stdout and not self.begun:
            self.begun = chunk.startswith(READY)
            chunk = chunk.removeprefix(READY)
            self.stdin = READY + self.stdin
            self.feed_from_now()
        key.data.feed(chunk)

    def feed_from_now(self) -> None:
        assert self.process.stdin
        os.set_blocking(self.process.stdin.fileno(), False)
        self.selector.register(self.process.stdin, selectors.EVENT_WRITE)
        self.feed()

    def feed(self) -> None:
        """Write what fits; at the end of it, or when nobody reads it, close."""
        assert self.process.stdin
        with contextlib.suppress(BlockingIOError):
            try:
                while self.stdin:
                    written = os.write(self.process.stdin.fileno(), self.stdin[:READ_BYTES])
                    self.stdin = self.stdin[written:]
            except BrokenPipeError:
                self.stdin = b""
            if not self.stdin:
                self.selector.unregister(self.process.stdin)
                self.close_stdin()

    def close_stdin(self) -> None:
        assert self.process.stdin
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def stop_if_asked(self) -> None:
        """First politely, then not."""
        if self.context.seconds_left() <= 0:
            self.context.stop(StopReason.TIMEOUT)
        if not self.context.cancelled:
            return
        if self.kill_at is None:
            self.kill_at = time.monotonic() + settings.SHELL_KILL_GRACE_SECONDS
            self.running.terminate()
        # The launcher kills by itself at that time; it gets a little longer before it is killed too.
        elif time.monotonic() > self.kill_at + (0 if self.running.sandboxed else 1):
            self.running.kill()
