"""One attempt: prepare it, run its handler, turn the answer into an end. Slots on threads.

A place where attempts run (threads here) needs start(), and calls back with the end: child processes fit the same.
"""

import queue
import threading
import traceback
from collections.abc import Callable

import structlog
from django.db import close_old_connections, connections

from jobs.errors import UnknownJobType
from jobs.handlers import registry
from jobs.handlers.base import (
    Answer,
    Context,
    Done,
    Fail,
    PermanentFailure,
    Retry,
    Stopped,
    StopReason,
)
from jobs.handlers.results import BadResult, json_result
from jobs.processes.reporting import AttemptReporter
from jobs.queue.claim import Claimed
from jobs.queue.finish import Ended
from jobs.states import Outcome

log = structlog.get_logger(__name__)

TRACEBACK_CHARACTERS = 6_000


class Attempt:
    """A claimed job on its way through a slot."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.reporter = AttemptReporter(claimed)
        self.context = Context(
            job_id=claimed.job_id,
            attempt=claimed.attempt,
            org=claimed.org,
            type=claimed.type,
            name=claimed.name,
            payload=claimed.payload,
            correlation_id=claimed.correlation_id,
            timeout_seconds=claimed.timeout_seconds,
            org_settings={"shell_programs": claimed.shell_programs},
            reporter=self.reporter,
        )
        # Ended without waiting for its thread: too long after its timeout, or at the end of a drain.
        self.abandoned = False

    def run(self) -> Ended:
        """Run the handler. Never raises: whatever happens is an end."""
        try:
            answer: Answer = registry.get(self.claimed.type).run(self.context)
            return self.ended(answer)
        except Exception as error:
            return self.failed(error)

    def ended(self, answer: Answer) -> Ended:
        match answer:
            case Done(result=result):
                return Ended(self.claimed, Outcome.DONE, result=json_result(result))
            case _ if self.context.stop_reason is not None:
                return self.stopped()
            case Retry(reason=reason, after_seconds=after, error_type=kind, result=result):
                return Ended(self.claimed, Outcome.ERROR, json_result(result), kind, reason, retry_seconds=after)
            case Fail(reason=reason, error_type=kind, result=result):
                return Ended(self.claimed, Outcome.ERROR, json_result(result), kind, reason, permanent=True)

    def failed(self, error: Exception) -> Ended:
        if isinstance(error, Stopped) or self.context.stop_reason is not None:
            return self.stopped()
        permanent = isinstance(error, PermanentFailure | UnknownJobType | BadResult)
        text = "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:]
        if isinstance(error, BadResult | UnknownJobType):
            text = str(error)
        return Ended(self.claimed, Outcome.ERROR, error_type=type(error).__name__, error=text, permanent=permanent)

    def stopped(self) -> Ended:
        """The end of an attempt that was asked to stop, by the reason it was given."""
        match self.context.stop_reason:
            case StopReason.CANCELLED:
                return Ended(self.claimed, Outcome.CANCELLED)
            case StopReason.TIMEOUT:
                limit = f"Ran longer than its timeout of {self.claimed.timeout_seconds} s."
                return Ended(self.claimed, Outcome.TIMEOUT, error_type="Timeout", error=limit)
            case _:
                return Ended(self.claimed, Outcome.RELEASED)


class ThreadSlots:
    """A fixed number of slots, each a thread that runs one attempt after the other."""

    def __init__(self, slots: int, on_end: Callable[[Attempt, Ended], None]) -> None:
        self._waiting: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._on_end = on_end
        for number in range(slots):
            # Daemons: a handler that never returns must not keep the process from ending.
            threading.Thread(target=self.work, name=f"slot-{number}", daemon=True).start()

    def start(self, attempt: Attempt) -> None:
        self._waiting.put(attempt)

    def work(self) -> None:
        while True:
            attempt = self._waiting.get()
            claimed = attempt.claimed
            with structlog.contextvars.bound_contextvars(
                correlation_id=claimed.correlation_id, job=str(claimed.job_id), attempt=claimed.attempt
            ):
                ended = attempt.run()
            # A task may have used the ORM: broken connections and open transactions end with its attempt.
            if any(each.in_atomic_block for each in connections.all(initialized_only=True)):
                connections.close_all()
            close_old_connections()
            self._on_end(attempt, ended)
