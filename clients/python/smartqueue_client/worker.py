"""Takes jobs while it has free slots, each run in a thread; ends when told to, after what it has begun."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from smartqueue_client.attempt import DRAINED, Attempt
from smartqueue_client.connection import Connection
from smartqueue_client.errors import ApiError, Unreachable

log = logging.getLogger(__name__)

WAIT_SECONDS = 15
# When there was no room to wait, or no answer.
PAUSE_SECONDS = 2.0
# How long attempts that were stopped take to end and say so.
STOP_SECONDS = 5.0
EXIT_REFUSED = 3


class Worker:
    """One process of `sq work`."""

    def __init__(
        self,
        connection: Connection,
        *,
        name: str,
        queues: Sequence[str],
        slots: int,
        program: Sequence[str],
        lease_seconds: float,
        renew_seconds: float,
        drain_seconds: float,
    ) -> None:
        self.connection, self.name, self.queues, self.slots = connection, name, list(queues), slots
        self.program, self.drain_seconds = program, drain_seconds
        self.times = {"lease_seconds": lease_seconds, "renew_seconds": renew_seconds}
        self.attempts: dict[str, Attempt] = {}
        self.changed = threading.Condition()
        self.draining = threading.Event()
        self.refused = ""
        # The last that an admin asked for.
        self.command = ""

    def run(self) -> int:
        """Work until stopped; the exit code."""
        log.info("worker %s takes jobs of %s", self.name, ", ".join(self.queues))
        threading.Thread(target=self.pull, daemon=True).start()
        # in steps: a signal is handled between them
        while not self.draining.wait(0.2):
            pass
        self.drain()
        if self.refused:
            log.error("%s", self.refused)
            return EXIT_REFUSED
        return 0

    def stop(self) -> None:
        """Take no more, finish, end. The second time: end at once what runs."""
        if self.draining.is_set():
            self.drain_seconds = 0
        self.draining.set()

    # --- Jobs -------------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        while not self.draining.is_set():
            with self.changed:
                self.changed.wait_for(lambda: len(self.attempts) < self.slots or self.draining.is_set(), 0.5)
                free, holding = self.slots - len(self.attempts), list(self.attempts)
            if free > 0 and not self.draining.is_set():
                began = time.monotonic()
                jobs = self.claim(free, holding)
                for job in jobs:
                    self.start(job)
                if not jobs and time.monotonic() < began + PAUSE_SECONDS:
                    self.draining.wait(PAUSE_SECONDS)

    def claim(self, free: int, holding: list[str]) -> list[dict[str, Any]]:
        asked = {
            "worker": self.name,
            "queues": self.queues,
            "slots": free,
            "wait_seconds": WAIT_SECONDS,
            "lease_seconds": self.times["lease_seconds"],
            "holding": holding,
        }
        try:
            answer = self.connection.call("POST", "worker/claims/", asked, seconds=WAIT_SECONDS + 15)
            self.obey(answer.headers.get("smartqueue-command", ""))
            return list(answer.body["jobs"]) if answer.body else []
        except Unreachable as error:
            log.warning("no answer: %s", error)
        except ApiError as error:
            self.refused = f"The server refuses: {error}"
            self.draining.set()
        return []

    def obey(self, command: str) -> None:
        """What an admin asks of this worker; while it is quiet the server gives it nothing."""
        if command != self.command:
            self.command = command
            log.info("asked to %s", command or "go on")
        if command == "stop":
            self.draining.set()

    def start(self, job: dict[str, Any]) -> None:
        attempt = Attempt(self.connection, job, self.program, on_command=self.obey, **self.times)
        with self.changed:
            self.attempts[job["lease"]] = attempt
        if self.draining.is_set():
            attempt.stop(DRAINED)
        threading.Thread(target=self.run_one, args=(job["lease"], attempt), daemon=True).start()

    def run_one(self, lease: str, attempt: Attempt) -> None:
        try:
            attempt.run()
        except Exception:
            log.exception("job %s", attempt.job["job_id"])
        finally:
            with self.changed:
                self.attempts.pop(lease, None)
                self.changed.notify_all()

    # --- The end ----------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Finish what runs, within the time; what does not is ended and given back."""
        self.depart(draining=True)
        began = time.monotonic()
        # asked anew each time: a second signal makes it nothing
        while self.attempts and time.monotonic() < began + self.drain_seconds:
            self.wait_a_little()
        for attempt in list(self.attempts.values()):
            attempt.stop(DRAINED)
        end = time.monotonic() + STOP_SECONDS
        while self.attempts and time.monotonic() < end:
            self.wait_a_little()
        self.depart(draining=False)
        log.info("worker %s ends", self.name)

    def wait_a_little(self) -> None:
        with self.changed:
            self.changed.wait(0.1)

    def depart(self, *, draining: bool) -> None:
        """Say so; a call of ours that still waits for jobs then takes none."""
        with contextlib.suppress(ApiError, Unreachable):
            self.connection.post("worker/departure/", {"worker": self.name, "draining": draining}, seconds=5)
