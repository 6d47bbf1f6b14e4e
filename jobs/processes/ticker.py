"""What must happen on time whatever the main loop is doing, in a thread and on a connection of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import Error, connection

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Chore:
    """A function to be called every so many seconds; it says what went wrong by raising."""

    name: str
    every_seconds: float
    run: Callable[[], object]
    due: float = 0.0


class Ticker(threading.Thread):
    """Runs chores until stop(). A chore that raises is logged and tried again when it is next due."""

    def __init__(self, chores: list[Chore]) -> None:
        super().__init__(name="ticker", daemon=True)
        self.chores = chores
        self._wake = threading.Event()
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            self.tick()
            soonest = min(chore.due for chore in self.chores)
            self._wake.wait(max(soonest - time.monotonic(), 0.0))
            self._wake.clear()
        connection.close()

    def tick(self) -> None:
        for chore in self.chores:
            if time.monotonic() >= chore.due:
                # From now, not from when it was due: after a stall the missed calls are not made up.
                chore.due = time.monotonic() + chore.every_seconds
                run_chore(chore)

    def hurry(self, name: str) -> None:
        """Run a chore at once."""
        for chore in self.chores:
            if chore.name == name:
                chore.due = 0.0
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self.is_alive():
            self.join(timeout=5)


def run_chore(chore: Chore) -> None:
    try:
        chore.run()
    except Error as error:
        log.warning("database trouble", extra={"chore": chore.name, "error": str(error).strip()})
        connection.close()
    except Exception:
        log.exception("a chore failed", extra={"chore": chore.name})
