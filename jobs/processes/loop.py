"""The skeleton of every process: step() until told to stop, and sleep only when there was nothing to do."""

import contextlib
import logging
import os
import random
import select
import signal
import socket
import threading
import time
from types import FrameType
from typing import Any

from django.core.management.base import CommandError
from django.db import Error, connection

from jobs.processes.measures import Measures
from jobs.queue.session import cause

log = logging.getLogger(__name__)

RECOVERY_SECONDS = 1.0
# After the second signal: for what must not outlive the process.
ABANDON_SECONDS = 1.0


def refuse_undurable() -> None:
    """Raise CommandError for a database that loses what it acknowledges. One that is away is waited for, later."""
    try:
        connection.ensure_connection()
    except Error as error:
        if refused := cause(error):
            raise CommandError(str(refused)) from error
    finally:
        # a fork has connections of its own
        connection.close()


class Loop:
    """Subclasses give step(), which says whether it found work, and may add sockets that end a sleep."""

    def __init__(self, *, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.stopping = False
        self.measures = Measures()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def run(self) -> None:
        """Until a signal or stop(); then drain() and close()."""
        try:
            while not self.stopping:
                if not self.guarded_step():
                    self.sleep(self.idle_seconds)
            self.drain()
        finally:
            self.close()

    def guarded_step(self) -> bool:
        """A step that raises is logged and slept on, so that it cannot spin; the loop lives on."""
        self.turned()
        try:
            with self.measures.steps.timed():
                return self.step()
        except Error as error:
            log.warning("database trouble, trying again", extra={"error": str(error).strip()})
            self.forget_connection()
        except Exception:
            log.exception("a step failed")
        self.measures.failed_steps += 1
        if not self.stopping:
            # not all processes at the same moment when the database is back
            time.sleep(RECOVERY_SECONDS * random.uniform(0.5, 1.0))
        return False

    def step(self) -> bool:
        """Do what there is to do now; False when there was nothing."""
        raise NotImplementedError

    def turned(self) -> None:
        """Called as the loop goes round, also while it drains."""

    def drain(self) -> None:
        """After the last step: finish or give back what is in hand."""

    def close(self) -> None:
        """The very last thing."""
        self.forget_connection()
        self.close_sockets()

    def close_sockets(self) -> None:
        self._wake_read.close()
        self._wake_write.close()

    def sockets(self) -> list[Any]:
        """What else ends a sleep: objects with fileno()."""
        return []

    def sleep(self, seconds: float) -> None:
        """Until a wake(), one of the sockets is readable, or the time is over."""
        self.turned()
        # poll() and not select(): a process with many open files has numbers above 1023
        poll = select.poll()
        for each in [self._wake_read, *self.sockets()]:
            poll.register(each, select.POLLIN)
        poll.poll(max(seconds, 0) * 1000)
        while self.read_wake_bytes():
            pass

    def read_wake_bytes(self) -> bool:
        try:
            return bool(self._wake_read.recv(4096))
        except BlockingIOError:
            return False

    def wake(self) -> None:
        """End the sleep; from any thread and from signal handlers."""
        with contextlib.suppress(OSError):  # full of wake-ups already, or closed
            self._wake_write.send(b"x")

    def stop(self) -> None:
        self.stopping = True
        self.wake()

    def handle_signals(self) -> None:
        """First SIGTERM or SIGINT: stop and drain. Second: stop at once."""
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, self.on_signal)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            # In a thread: this handler may have interrupted us while we held a lock that abandon() needs.
            threading.Thread(target=self.exit_at_once, args=(128 + number,), daemon=True).start()
        self.stop()

    def exit_at_once(self, code: int) -> None:
        abandoning = threading.Thread(target=self.abandon, daemon=True)
        abandoning.start()
        abandoning.join(ABANDON_SECONDS)
        os._exit(code)

    def abandon(self) -> None:
        """What must not outlive a process that stops at once."""

    def forget_connection(self) -> None:
        """Drop this thread's connection; the next query makes a new one."""
        try:
            connection.close()
        except Error:
            connection.connection = None
