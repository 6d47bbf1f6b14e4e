"""One attempt as its handler sees it: what it is to do, whom it tells, and how it is asked to stop."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from jobs.handlers.datasets import Extract, Question, Reader


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
