"""Several workers from one command: a process each, forked from one that has loaded the code and only minds them."""

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from django.db import connections

log = logging.getLogger(__name__)

# Before one that failed is replaced, so that a fault at the start does not become a storm of starts.
PAUSE_SECONDS = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Forks:
    """Runs `work` in so many processes until all have ended. One that ends with 0 is done, any other is replaced."""

    def __init__(self, count: int, work: Callable[[int], int]) -> None:
        """`work` is told which of them it is, from 0; whoever takes the place of one is the same."""
        self.count = count
        self.work = work
        # and which of them each is
        self.pids: dict[int, int] = {}
        self.stopping = False
        self.exit_code = 0

    def run(self) -> int:
        """Returns the exit code: that of a process that failed while we were told to stop, if any did."""
        # A session made before the fork would be used by all of them at once.
        connections.close_all()
        for signum in SIGNALS:
            signal.signal(signum, self.pass_on)
        for number in range(self.count):
            self.fork(number)
        while self.pids:
            self.mind()
        return self.exit_code

    def fork(self, number: int) -> None:
        # a signal between the fork and its being noted down would not reach the new process
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        if not self.stopping:
            pid = os.fork()
            if pid == 0:
                self.begin(number)
            self.pids[pid] = number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def begin(self, number: int) -> None:
        """In the new process; does not return."""
        code = 1
        try:
            for signum in SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = self.work(number)
        except Exception:
            log.exception("a worker process failed")
        finally:
            os._exit(code)

    def mind(self) -> None:
        """Wait for one to end."""
        pid, status = os.wait()
        number = self.pids.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if code == 0 or number is None:
            return
        if self.stopping:
            self.exit_code = self.exit_code or abs(code)
            return
        log.error("a worker process ended; another takes its place", extra={"pid": pid, "code": code})
        time.sleep(PAUSE_SECONDS)
        self.fork(number)

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """The first signal lets them drain, the second ends them at once: they know which it is."""
        self.stopping = True
        for pid in list(self.pids):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                self.pids.pop(pid, None)
