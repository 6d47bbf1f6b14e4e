"""The attempts in a worker's hands, and what its ticker does for them: renews, stops, reports."""

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from jobs.handlers.base import StopReason
from jobs.processes.executor import Attempt
from jobs.processes.measures import Measures
from jobs.processes.reporting import flush
from jobs.queue.finish import named
from jobs.queue.lease import renew

log = logging.getLogger(__name__)

# After a stop is asked, how long a handler may take to return before its attempt is ended without it.
STOP_GRACE_SECONDS = 5.0


class Keeper:
    """`attempts`, by token, is changed by the worker's loop alone; the ticker's thread reads it."""

    def __init__(
        self, worker_id: UUID, on_abandon: Callable[[Attempt], None], measures: Measures | None = None
    ) -> None:
        self.worker_id = worker_id
        # An attempt leaves when its end is in the database, or known to be fenced.
        self.attempts: dict[UUID, Attempt] = {}
        self._on_abandon = on_abandon
        self.measures = measures or Measures()
        # One statement over many of our leases at a time: two that lock them in different orders would deadlock, and
        # an attempt's lines on their way must arrive before its end.
        self.writing = threading.Lock()

    def renew(self) -> None:
        """Keep what is being worked on; stop what a person cancelled, and what has passed to another."""
        attempts = dict(self.attempts)
        if not attempts:
            return
        # Counted from before the question: the answer may take long.
        until = time.monotonic() + settings.LEASE_SECONDS
        with self.writing:
            renewed = renew(worker_id=self.worker_id, tokens=list(attempts))
        self.measures.renewed += len(renewed.held)
        for token, attempt in attempts.items():
            if token in renewed.held:
                attempt.held_until = until
            elif token in self.attempts:
                ask(attempt, StopReason.LEASE_LOST)
            if token in renewed.cancelled:
                ask(attempt, StopReason.CANCELLED)

    def check_deadlines(self) -> None:
        """Ask attempts to stop whose time or lease is over; end those that do not listen without them.

        A lease that could not be renewed is over by our own clock too: with the database out of reach another
        worker may have the job by now.
        """
        for attempt in list(self.attempts.values()):
            if attempt.over:
                continue
            now = time.monotonic()
            if now > attempt.context.started + attempt.context.timeout_seconds:
                ask(attempt, StopReason.TIMEOUT)
            if now > attempt.held_until:
                ask(attempt, StopReason.LEASE_LOST)
            if attempt.asked_at is not None and now > attempt.asked_at + STOP_GRACE_SECONDS and not attempt.abandoned:
                log.warning("handler does not stop", extra=named(attempt.claimed))
                attempt.abandoned = True
                self._on_abandon(attempt)

    def flush(self) -> None:
        """Write what the handlers have reported since the last time."""
        with self.writing:
            flush([attempt.reporter for attempt in list(self.attempts.values())])

    def stop_all(self, reason: StopReason) -> None:
        for attempt in list(self.attempts.values()):
            ask(attempt, reason)


def ask(attempt: Attempt, reason: StopReason) -> None:
    """Ask a handler to stop; what it does on being asked must not keep the others from being asked."""
    if attempt.asked_at is None:
        attempt.asked_at = time.monotonic()
    try:
        attempt.context.stop(reason)
    except Exception:
        log.exception("stopping a handler failed", extra=named(attempt.claimed))
