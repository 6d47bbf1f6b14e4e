"""The skeleton of every process: step() until told to stop, and sleep only when there was nothing to do."""

import logging
import os
import select
import signal
import socket
import time
from types import FrameType
from typing import Any

from django.db import Error, connection

log = logging.getLogger(__name__)

RECOVERY_SECONDS = 1.0


class Loop:
    """Subclasses give step(), which says whether it found work, and may add sockets that end a sleep."""

    def __init__(self, *, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.stopping = False
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
        try:
            return self.step()
        except Error as error:
            log.warning("database trouble, trying again", extra={"error": str(error).strip()})
            self.forget_connection()
        except Exception:
            log.exception("a step failed")
        time.sleep(RECOVERY_SECONDS if not self.stopping else 0)
        return False

    def step(self) -> bool:
        """Do what there is to do now; False when there was nothing."""
        raise NotImplementedError

    def drain(self) -> None:
        """After the last step: finish or give back what is in hand."""

    def close(self) -> None:
        """The very last thing."""
        self.forget_connection()

    def sockets(self) -> list[Any]:
        """What else ends a sleep: objects with fileno()."""
        return []

    def sleep(self, seconds: float) -> None:
        """Until a wake(), one of the sockets is readable, or the time is over."""
        readable, _, _ = select.select([self._wake_read, *self.sockets()], [], [], max(seconds, 0))
        if self._wake_read in readable:
            while self.read_wake_bytes():
                pass

    def read_wake_bytes(self) -> bool:
        try:
            return bool(self._wake_read.recv(4096))
        except BlockingIOError:
            return False

    def wake(self) -> None:
        """End the sleep; from any thread and from signal handlers."""
        try:
            self._wake_write.send(b"x")
        except BlockingIOError:
            pass  # full of wake-ups already

    def stop(self) -> None:
        self.stopping = True
        self.wake()

    def handle_signals(self) -> None:
        """First SIGTERM or SIGINT: stop and drain. Second: stop at once."""
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, self.on_signal)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            self.abandon()
            os._exit(128 + number)
        self.stop()

    def abandon(self) -> None:
        """What must not outlive a process that stops at once."""

    def forget_connection(self) -> None:
        """Drop this thread's connection; the next query makes a new one."""
        try:
            connection.close()
        except Error:
            connection.connection = None
