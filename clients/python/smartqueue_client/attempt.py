"""One job in this worker's hands: its program runs, its lease is kept, and its end is told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from smartqueue_client.connection import Connection
from smartqueue_client.errors import ApiError, Unreachable
from smartqueue_client.program import Program

log = logging.getLogger(__name__)

PERMANENT_CODE = 100
FLUSH_SECONDS = 0.5
MOST_LINES = 500
AGAIN_SECONDS = 0.5
CANCELLED, DRAINED, LOST, TIMEOUT = "cancelled", "drained", "lost", "timeout"


class Attempt:
    """run() is called in a thread of its own; stop() from any."""

    def __init__(
        self,
        connection: Connection,
        job: dict[str, Any],
        program: Sequence[str],
        *,
        lease_seconds: float,
        renew_seconds: float,
        on_command: Callable[[str], None] | None = None,
    ) -> None:
        self.on_command = on_command
        self.connection, self.job, self.argv = connection, job, program
        self.lease_seconds, self.renew_seconds = lease_seconds, renew_seconds
        self.path = f"worker/leases/{job['lease']}"
        self.began = time.monotonic()
        # By our own clock, which began when the answer was here: a little late, so that much is taken off.
        self.held_until = self.began + lease_seconds
        self.stopped = ""
        self.over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        log.info("job %s attempt %s begins", self.job["job_id"], self.job["attempt"])
        keeper = threading.Thread(target=self.keep, daemon=True)
        keeper.start()
        try:
            if self.stopped:
                self.say("release", {})
            else:
                self.work()
        finally:
            self.over.set()
            log.info("job %s attempt %s is over %s", self.job["job_id"], self.job["attempt"], self.stopped)

    def stop(self, reason: str) -> None:
        """The first reason stands."""
        self.stopped = self.stopped or reason

    def work(self) -> None:
        program = Program(
            self.argv,
            self.job["payload"],
            SMARTQUEUE_JOB_ID=self.job["job_id"],
            SMARTQUEUE_ATTEMPT=str(self.job["attempt"]),
            SMARTQUEUE_CORRELATION_ID=self.job["correlation_id"],
        )
        code, flush_at = None, time.monotonic() + FLUSH_SECONDS
        while code is None and not self.stopped:
            code = program.wait(0.1)
            if time.monotonic() >= flush_at:
                self.flush(program)
                flush_at = time.monotonic() + FLUSH_SECONDS
        if code is None:
            program.end()
        else:
            program.close()
        while not self.unheld() and self.flush(program):
            pass
        self.tell(program, code)

    def unheld(self) -> bool:
        """Whether there is nobody left to tell."""
        return self.stopped in (LOST, TIMEOUT) or time.monotonic() > self.held_until

    # --- The lease ----------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Renew until it is over; find out when it should be."""
        while not self.over.wait(self.renew_seconds):
            asked = time.monotonic()
            try:
                body = {"lease_seconds": self.lease_seconds}
                answer = self.connection.post(f"{self.path}/renewal/", body, seconds=max(self.renew_seconds, 5.0))
                self.held_until = asked + self.lease_seconds
                if answer["cancel_requested"]:
                    self.stop(CANCELLED)
                # a server of an earlier version says nothing
                if (command := answer.get("command")) and self.on_command:
                    self.on_command(command)
            except Unreachable as error:
                log.warning("job %s: not renewed: %s", self.job["job_id"], error)
            except ApiError as error:
                log.warning("job %s: %s", self.job["job_id"], error)
                # not before this: its end is on its way, and then it is no news
                if not self.over.is_set():
                    self.stop(TIMEOUT if self.out_of_time() else LOST)
            if time.monotonic() > self.held_until:
                self.stop(LOST)
            elif self.out_of_time():
                # the server ends the attempt as timeout, when the lease that cannot be renewed is over
                self.stop(TIMEOUT)

    def out_of_time(self) -> bool:
        return time.monotonic() > self.began + float(self.job["timeout_seconds"])

    # --- What is told ---------------------------------------------------------------------------------------------

    def flush(self, program: Program) -> bool:
        """Send what was written; True when there was something. Numbered, so that none is kept twice."""
        lines = program.take(MOST_LINES)
        if not lines:
            return False
        if self.say("log", {"first": self.sent + 1, "lines": lines}):
            self.sent += len(lines)
        return True

    def tell(self, program: Program, code: int | None) -> None:
        if self.unheld():
            return
        if code is None:
            self.say("release", {})
        elif code == 0:
            self.tell_done(program)
        else:
            kind = "PermanentFailure" if code == PERMANENT_CODE else "ExitCode"
            failure = {"error_type": kind, "error": program.complaint(code), "permanent": code == PERMANENT_CODE}
            self.say("failure", failure)

    def tell_done(self, program: Program) -> None:
        try:
            self.insist("finish", {"result": program.result()})
        except ApiError as error:
            if error.status in (400, 413):
                refused = f"The result was refused: {error.problem.get('errors') or error}"
                self.say("failure", {"error_type": "BadResult", "error": refused, "permanent": True})
            else:
                log.warning("job %s: %s", self.job["job_id"], error)

    def say(self, word: str, body: dict[str, Any]) -> bool:
        """Whether it was heard, and taken."""
        try:
            return self.insist(word, body)
        except ApiError as error:
            log.warning("job %s: %s: %s", self.job["job_id"], word, error)
            if error.status in (404, 409):
                self.stop(LOST)
            return False

    def insist(self, word: str, body: dict[str, Any]) -> bool:
        """Say it until it is answered, or until the lease is over. Raises ApiError."""
        while not self.unheld():
            try:
                self.connection.post(f"{self.path}/{word}/", body)
                return True
            except Unreachable as error:
                log.warning("job %s: %s: %s", self.job["job_id"], word, error)
                self.over.wait(AGAIN_SECONDS)
        return False
