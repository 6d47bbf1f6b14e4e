"""One attempt: prepare it, run its handler, turn the answer into an end. Slots on threads, and on an event loop.

A place where attempts run needs start(), and calls back with each end: child processes fit the same.
"""

import asyncio
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.db import close_old_connections, connections, transaction
from django.db.backends.signals import connection_created

from jobs import tracing
from jobs.errors import InvalidPayload, LeaseLost, UnknownJobType
from jobs.exports import OrgReader
from jobs.handlers import registry
from jobs.handlers.base import (
    Answer,
    Context,
    Done,
    Fail,
    Handler,
    PermanentFailure,
    Retry,
    StopReason,
    TemporaryFailure,
    running,
)
from jobs.handlers.results import BadResult, json_result
from jobs.processes.children import Crashed, run_in_child
from jobs.processes.folders import own_folder
from jobs.processes.reporting import AttemptReporter, flush
from jobs.processes.resolving import Cover
from jobs.queue.brief import brief
from jobs.queue.claim import Claimed
from jobs.queue.finish import Ended, finish
from jobs.states import Outcome
from jobs.strict_json import UNSTORABLE

log = structlog.get_logger(__name__)

TRACEBACK_CHARACTERS = 6_000
# An idle slot keeps the connection that its last task made no longer than this.
IDLE_CONNECTION_SECONDS = 5.0
OURS = str(Path(__file__).parents[1])
# No further attempt can end otherwise.
PERMANENT = (PermanentFailure, UnknownJobType, InvalidPayload, BadResult)


class Attempt:
    """A claimed job on its way through a slot."""

    def __init__(self, claimed: Claimed, held_until: float, worker_name: str = "") -> None:
        self.claimed = claimed
        self.worker_name = worker_name
        # time.monotonic(): our lease is over then, unless it is renewed.
        self.held_until = held_until
        self.asked_at: float | None = None
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
            org_settings=claimed.org_settings,
            reporter=self.reporter,
            reader=OrgReader(claimed),
        )
        # Ended without waiting for its thread, which did not return in time after being asked to stop.
        self.abandoned = False
        # Its end, from whichever side, is known to the worker's loop.
        self.over = False
        # Its end was committed with what its handler wrote.
        self.settled = False
        self.cover = Cover(claimed, self.context, self.reporter)

    @property
    def is_async(self) -> bool:
        """Whether its handler is for the event loop; an unknown type is not, and says so in its thread."""
        try:
            return registry.get(self.claimed.type).is_async(self.claimed.payload)
        except UnknownJobType:
            return False

    def run(self) -> Ended:
        """Run the handler. Never raises: whatever happens is an end, a task's sys.exit() too."""
        with tracing.of_run(self.claimed) as note:
            ended = self.handled()
            note(**told(ended))
        return ended

    def handled(self) -> Ended:
        running.set(self.context)
        try:
            handler = registry.get(self.claimed.type)
            self.cover.begin(handler)
            with own_folder(handler, self.context):
                if handler.is_transactional(self.claimed.payload):
                    return self.run_in_transaction(handler)
                return self.ended(self.answer(handler))
        except BaseException as error:
            return self.failed(error)
        finally:
            self.cover.end()
            running.set(None)

    def answer(self, handler: Handler) -> Answer:
        if not handler.is_isolated(self.claimed.payload):
            return handler.perform(self.context)
        handler.check(self.context.payload, self.claimed.org_settings)
        handler.gather(self.context)
        self.context.check_stopped()
        answer = run_in_child(self.context, handler, hidden=self.cover.values)
        return answer if self.context.cancelled else handler.deliver(self.context, answer)

    def run_in_transaction(self, handler: Handler) -> Ended:
        """What the handler writes and the end of its attempt are one commit; without the lease there is neither."""
        with transaction.atomic():
            ended = self.ended(handler.perform(self.context))
            if ended.outcome is not Outcome.DONE:
                transaction.set_rollback(True)
                return ended
            with brief():
                flush([self.reporter])
                if not finish([ended], worker_name=self.worker_name):
                    raise LeaseLost(self.claimed.job_id)
        self.settled = True
        return ended

    async def run_async(self) -> Ended:
        """run(), for a handler of the event loop. To be asked to stop is to be cancelled there."""
        with tracing.of_run(self.claimed) as note:
            ended = await self.handled_async()
            note(**told(ended))
        return ended

    async def handled_async(self) -> Ended:
        running.set(self.context)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            loop.call_soon_threadsafe(task.cancel)

        self.context.on_stop(cancel)
        try:
            handler = registry.get(self.claimed.type)
            await self.cover.begin_async(handler)
            return self.ended(await handler.perform_async(self.context))
        except BaseException as error:
            return self.failed(error)
        finally:
            self.cover.end()

    def ended(self, answer: Answer) -> Ended:
        match answer:
            case Done(result=result):
                return Ended(self.claimed, Outcome.DONE, result=self.cover.shown(json_result(result)))
            case _ if self.context.stop_reason is not None:
                return self.stopped()
            case Retry(reason=reason, after_seconds=after, error_type=kind, result=result):
                return self.error(kind, reason, json_result(result), retry_seconds=after)
            case Fail(reason=reason, error_type=kind, result=result):
                return self.error(kind, reason, json_result(result), permanent=True)
        raise BadResult(f"The handler answered {type(answer).__qualname__}, not Done, Retry or Fail.")

    def failed(self, error: BaseException) -> Ended:
        # A Stopped that nobody asked for is an error like any other: a release would run it again for ever.
        if self.context.stop_reason is not None and not isinstance(error, BadResult):
            return self.stopped()
        if isinstance(error, Crashed):
            return Ended(self.claimed, Outcome.CRASHED, error_type="Crashed", error=self.cover.shown(str(error)))
        return self.error(type(error).__name__, for_people(error), permanent=isinstance(error, PERMANENT))

    def error(self, kind: str, text: str, result: Any = None, **fields: Any) -> Ended:
        # What a program or a server said may hold what the database cannot.
        kind, text = (UNSTORABLE.sub("\ufffd", self.cover.shown(words)) for words in (kind, text))
        return Ended(self.claimed, Outcome.ERROR, self.cover.shown(result), kind, text, **fields)

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


def told(ended: Ended) -> dict[str, Any]:
    """Of an end, what its span says: no text that a handler wrote."""
    error = {"error.type": ended.error_type} if ended.error_type else {}
    return {"failed": ended.outcome is not Outcome.DONE, "smartqueue.job.outcome": str(ended.outcome), **error}


def for_people(error: BaseException) -> str:
    """What a person reads: a sentence where we know what happened, else the traceback from the handler on."""
    match error:
        case InvalidPayload(errors=errors):
            return "\n".join(f"{pointer}: {sentence}" for pointer, sentence in errors)
        case PermanentFailure() | TemporaryFailure() | UnknownJobType() | BadResult() if str(error):
            return str(error)
    frames = error.__traceback__
    # Ours come first and say nothing about the error.
    while frames and frames.tb_next and frames.tb_frame.f_code.co_filename.startswith(OURS):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))[-TRACEBACK_CHARACTERS:]


class ThreadSlots:
    """A fixed number of slots, each a thread that runs one attempt after the other.

    A thread that takes an attempt and sees more of them calls the next thread, and only one is called at a time: it
    comes when the first lets go of the interpreter, be it to wait for something or after its turn. So attempts that
    wait do so side by side, and a hundred that take no time are not a hundred changes of threads.
    """

    def __init__(self, slots: int, on_end: Callable[[Attempt, Ended], None]) -> None:
        self._waiting: deque[Attempt] = deque()
        self._calls = threading.Semaphore(0)
        self._called = False
        self._closed = False
        self._slots = slots
        self._on_end = on_end
        for number in range(slots):
            # Daemons: a handler that never returns must not keep the process from ending.
            threading.Thread(target=self.work, name=f"slot-{number}", daemon=True).start()

    def start(self, attempts: Sequence[Attempt]) -> None:
        self._waiting.extend(attempts)
        self.call()

    def call(self) -> None:
        if not self._called:
            self._called = True
            self._calls.release()

    def close(self) -> None:
        """Let the threads end that have nothing to do, and what they hold with them."""
        self._closed = True
        self._calls.release(self._slots)

    def work(self) -> None:
        while not self._closed:
            if not self._calls.acquire(timeout=IDLE_CONNECTION_SECONDS):
                clean_connections(idle=True)
                continue
            # before the look at what waits: whoever adds to it later calls again
            self._called = False
            while self._waiting:
                try:
                    attempt = self._waiting.popleft()
                except IndexError:
                    break
                if self._waiting:
                    self.call()
                ended = attempt.run()
                clean_connections()
                self._on_end(attempt, ended)
        clean_connections(idle=True)


class LoopSlots:
    """Slots of async handlers: tasks of one event loop, in a thread of its own that is started with the first."""

    def __init__(self, on_end: Callable[[Attempt, Ended], None]) -> None:
        self._on_end = on_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, attempts: Sequence[Attempt]) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()
        self._loop.call_soon_threadsafe(self.begin, attempts)

    def begin(self, attempts: Sequence[Attempt]) -> None:
        assert self._loop is not None
        for attempt in attempts:
            task = self._loop.create_task(self.work(attempt))
            # the loop itself keeps only weak references
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def work(self, attempt: Attempt) -> None:
        self._on_end(attempt, await attempt.run_async())


class Made(threading.local):
    """Whether this thread has made a connection since it last closed all it had."""

    connection = False


_made = Made()


def note_connection(**_: object) -> None:
    _made.connection = True


connection_created.connect(note_connection)


def clean_connections(*, idle: bool = False) -> None:
    """A task may have used the ORM: broken connections and open transactions end with its attempt."""
    if not _made.connection:
        return
    try:
        for each in connections.all(initialized_only=True):
            if idle or each.in_atomic_block:
                each.close()
                # its count of open transactions would outlive it
                del connections[each.alias]
        close_old_connections()
        _made.connection = not idle
    except Exception:
        log.exception("could not clean up after a task")
