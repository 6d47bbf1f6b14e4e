"""What a job type is, what it is given and what it may answer. Handlers import this and jobs.errors only."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from jobs.errors import InvalidPayload, UnknownJobType
from jobs.handlers.datasets import Extract, Question, Reader
from jobs.handlers.schemas import Validator, faults


@dataclass(frozen=True, slots=True)
class Done:
    """It worked. `result` is a JSON value, shown on the job."""

    result: Any = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not work now; try again, after the backoff or after `after_seconds`."""

    reason: str
    after_seconds: float | None = None
    error_type: str = "Retry"
    result: Any = None


@dataclass(frozen=True, slots=True)
class Fail:
    """It did not work and never will: no further attempt is made."""

    reason: str
    error_type: str = "Fail"
    result: Any = None


Answer = Done | Retry | Fail


class PermanentFailure(Exception):
    """Raised by a handler or task for what no retry can mend."""


class TemporaryFailure(Exception):
    """Raised by a handler or task for what a later attempt may find mended; told without a traceback."""


class HandlerNotReady(Exception):
    """This worker cannot run jobs of a type; the message says what is missing."""


class NotInstalled(HandlerNotReady):
    """What is missing is an extra: a worker that was not told its types serves the others."""


class StopReason(StrEnum):
    """Why an attempt is asked to end before it has."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    LEASE_LOST = "lease_lost"
    DRAIN = "drain"


class Stopped(Exception):
    """Raised by Context.check_stopped() in a handler that was asked to end."""


class Reporter(Protocol):
    """Where a context's lines, progress and files go; the worker gives one that writes under the lease."""

    def log(self, stream: str, text: str) -> None: ...
    def progress(self, fraction: float, message: str) -> None: ...
    def artefact(self, name: str, data: bytes, content_type: str) -> str: ...
    def artefact_file(self, name: str, path: Path, content_type: str) -> str: ...
    def copy_artefact(self, artefact_id: str, to: Path) -> "Input": ...
    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str: ...


class Input(NamedTuple):
    """A file that a job reads: where its handler finds it, and what its sender called it."""

    path: Path
    name: str
    content_type: str


@dataclass(slots=True)
class Context:
    """One attempt as its handler sees it. Safe to use from the handler's thread; `stop` from any."""

    job_id: UUID
    attempt: int
    org: str
    type: str
    name: str
    payload: Mapping[str, Any]
    correlation_id: str
    timeout_seconds: float
    # What the organisation allows: {"shell_programs": [absolute paths]}.
    org_settings: Mapping[str, Any]
    reporter: Reporter
    # Its own, and gone when the attempt ends; for types that work with files (Handler.works_with_files).
    folder: Path | None = None
    # Of rows of its organisation; none where an attempt is confined.
    reader: Reader | None = None
    started: float = field(default_factory=time.monotonic)
    stop_reason: StopReason | None = None
    # Made by the first that waits: most attempts are over before anybody does.
    _stopped: threading.Event | None = None
    _on_stop: list[Callable[[], None]] = field(default_factory=list)
    # How many jobs it has submitted without a key of their own.
    _submitted: int = 0
    # One for all: it is held for a few instructions, and to make one takes longer than that.
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def log(self, text: str, stream: str = "log") -> None:
        """Add lines to the job's log; `stream` is log, stdout or stderr."""
        self.reporter.log(stream, text)

    def progress(self, fraction: float, message: str = "") -> None:
        """How far it is, 0 to 1, and what it is doing."""
        self.reporter.progress(min(max(float(fraction), 0.0), 1.0), message)

    def artefact(self, name: str, data: bytes, content_type: str = "application/octet-stream") -> str:
        """Keep a file with the job; returns its id. Raises ValueError for a bad name or too many bytes."""
        return self.reporter.artefact(name, data, content_type)

    def path(self, name: str) -> Path:
        """Of a file directly in the attempt's folder."""
        assert self.folder is not None, f"{self.type} jobs have no folder"
        return self.folder / name

    def artefact_file(self, name: str, path: Path, content_type: str = "application/octet-stream") -> str:
        """The same for a file in the attempt's folder, of whatever size an artefact may have."""
        return self.reporter.artefact_file(name, path, content_type)

    def copy_artefact(self, artefact_id: str, name: str) -> Input:
        """Bring a file of the organisation into the attempt's folder, under this name. Not in a confined process.

        Raises PermanentFailure when the organisation has no such file.
        """
        return self.reporter.copy_artefact(artefact_id, self.path(name))

    def read(self, question: Question) -> AbstractContextManager[Extract]:
        """Rows of the organisation, in one snapshot. Raises PermanentFailure for what its submitter may not see."""
        assert self.reader is not None, f"{self.type} jobs read no rows"
        return self.reader.read(question)

    def enqueue(self, type: str, payload: Mapping[str, Any], *, key: str = "", **options: Any) -> str:
        """Submit a job of the same organisation, person and correlation id; returns its id. Not in a confined process.

        `options` are those of a submit: queue, name, title, urgency, delay_seconds, timeout_seconds, max_attempts,
        after, … A further attempt that makes the same calls in the same order gets the jobs of the first; `key`, which
        is an Idempotency-Key of the organisation, does that for calls whose order may change. Raises PermanentFailure
        for what is refused. In a transactional task the jobs are there when it is done, or never.
        """
        return self.reporter.enqueue({**options, "type": type, "payload": payload}, key or self.next_key())

    async def enqueue_async(self, type: str, payload: Mapping[str, Any], *, key: str = "", **options: Any) -> str:
        """The same on the event loop, for `async def` tasks: it waits in a thread."""
        asked, key = {**options, "type": type, "payload": payload}, key or self.next_key()
        return await asyncio.to_thread(self.reporter.enqueue, asked, key, borrowed=True)

    def next_key(self) -> str:
        """The same in each attempt for the first call, for the second and so on."""
        with self._lock:
            self._submitted += 1
            return f"job:{self.job_id}:{self._submitted}"

    @property
    def cancelled(self) -> bool:
        """True once the attempt should end: a person cancelled it, time is up, the lease or the worker is gone."""
        return self.stop_reason is not None

    def check_stopped(self) -> None:
        """Raise Stopped if the attempt should end; call it between steps of long work."""
        if self.stop_reason is not None:
            raise Stopped(self.stop_reason)

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until asked to stop; True when asked."""
        with self._lock:
            if self.stop_reason is not None:
                return True
            self._stopped = self._stopped or threading.Event()
        return self._stopped.wait(seconds)

    def seconds_left(self) -> float:
        """Until the timeout; never negative."""
        return max(self.started + self.timeout_seconds - time.monotonic(), 0.0)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call this when asked to stop (close a socket, kill a program); at once if that already happened."""
        with self._lock:
            if self.stop_reason is None:
                self._on_stop.append(callback)
                return
        callback()

    def stop(self, reason: StopReason) -> None:
        """Ask the attempt to end; the first reason given stands."""
        with self._lock:
            if self.stop_reason is not None:
                return
            self.stop_reason = reason
            if self._stopped is not None:
                self._stopped.set()
            callbacks, self._on_stop = self._on_stop, []
        for callback in callbacks:
            callback()


# The attempt that this thread or asyncio task runs: its id is on every log line that is written meanwhile.
running: ContextVar[Context | None] = ContextVar("running", default=None)


class Handler(ABC):
    """A job type. One instance serves all jobs of the type, from many threads at once."""

    type: str
    title: str
    # What it does, in one sentence.
    description: str
    # JSON Schema (2020-12) of the payload; `additionalProperties: false` everywhere.
    schema: Mapping[str, Any]
    # A payload that works, for the docs and the submit form.
    example: Mapping[str, Any]
    # The fields of the payload in which {{secret:name}} stands for a value; None for all. Without any, it is text.
    secret_fields: Collection[str] | None = None
    # Its jobs are made by code of this deployment alone: not offered to people, and check() refuses what they send.
    internal = False
    # False: no worker of the deployment takes its jobs.
    ours = True

    def check(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> None:
        """Raise InvalidPayload, naming the fields, for what the type cannot run."""
        if found := faults(self.validator, payload) or list(self.refusals(payload, org_settings)):
            raise InvalidPayload(found)

    @cached_property
    def validator(self) -> Validator:
        return Validator(self.schema)

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        """What the schema cannot say: (JSON pointer, sentence) pairs; called with a payload that fits the schema."""
        return ()

    def action_needed(self, payload: Mapping[str, Any]) -> str:
        """What its submitter must be allowed to do besides, as orgs.roles.Action says it; nothing by default."""
        return ""

    def prepare(self) -> None:
        """Called once in a worker that serves the type, before it takes jobs. Raises HandlerNotReady."""
        return

    def perform(self, context: Context) -> Answer:
        """One attempt. Checked as at submit, because settings, tasks and rights can have changed since."""
        self.check(context.payload, context.org_settings)
        return self.run(context)

    @abstractmethod
    def run(self, context: Context) -> Answer:
        """Do the work. An exception is an error and is retried; raise PermanentFailure for what is not."""

    def is_isolated(self, payload: Mapping[str, Any]) -> bool:
        """Whether perform() is called in a process of its own: for what computes much, or may crash or hang."""
        return self.is_confined(payload)

    def works_with_files(self, payload: Mapping[str, Any]) -> bool:
        """Whether its attempts have a folder."""
        return self.is_confined(payload)

    def is_confined(self, payload: Mapping[str, Any]) -> bool:
        """Whether that process is shut in too: no network, no files but its folder's, no secrets in its memory."""
        return False

    # What a confined attempt may take of memory, where that is less than CHILD_MEMORY_MAX_BYTES.
    memory_max_bytes: int | None = None

    def preload(self) -> None:
        """Import what confined attempts need, once for all of them."""
        return

    def gather(self, context: Context) -> None:
        """Bring into the attempt's folder what run() needs: in the worker, before it, with the network at hand."""
        return

    def deliver(self, context: Context, answer: Answer) -> Answer:
        """Take from the folder to elsewhere what run() left: in the worker, after it. Not when it was stopped."""
        return answer

    def is_transactional(self, payload: Mapping[str, Any]) -> bool:
        """Whether what perform() writes to the database and the end of its attempt are one transaction."""
        return False

    def is_async(self, payload: Mapping[str, Any]) -> bool:
        """Whether this is work for the worker's event loop: run_async() is awaited there, and no thread is held."""
        return False

    async def perform_async(self, context: Context) -> Answer:
        """perform(), on the event loop."""
        self.check(context.payload, context.org_settings)
        return await self.run_async(context)

    async def run_async(self, context: Context) -> Answer:
        """run(), for payloads that is_async() says yes to."""
        raise NotImplementedError


class Registry:
    """The job types of this deployment, by name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, handler: Handler) -> Handler:
        Validator.check_schema(handler.schema)
        self._handlers[handler.type] = handler
        return handler

    def get(self, type: str) -> Handler:
        """Raises UnknownJobType."""
        if type in self._handlers:
            return self._handlers[type]
        known = ", ".join(self.offered())
        raise UnknownJobType(f"There is no job type {type!r:.40}; there are: {known}.")

    def types(self) -> list[str]:
        return sorted(self._handlers)

    def performed(self) -> list[str]:
        """The types that the workers of this deployment run."""
        return [name for name in self.types() if self._handlers[name].ours]

    def offered(self) -> list[str]:
        """The types that people may submit."""
        return [name for name in self.types() if not self.is_internal(name)]

    def is_internal(self, type: str) -> bool:
        return type in self._handlers and self._handlers[type].internal

    def preload(self) -> None:
        for handler in self._handlers.values():
            handler.preload()

    def prepare(self, types: Sequence[str]) -> None:
        """Make these types ready to run here. Raises HandlerNotReady."""
        for type in types:
            self.get(type).prepare()

    def prepare_installed(self) -> tuple[list[str], list[str]]:
        """The types that are ready here, and what is missing for the others. Raises HandlerNotReady."""
        ready, missing = [], []
        for type in self.performed():
            try:
                self.get(type).prepare()
                ready.append(type)
            except NotInstalled as error:
                missing.append(str(error))
        return ready, missing


registry = Registry()
