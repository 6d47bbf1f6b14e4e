"""What a handler is given when no worker runs it."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.handlers import registry
from jobs.handlers.base import Answer, Context, Input
from jobs.processes.executor import Attempt
from jobs.queue.claim import Claimed

JOB_ID = UUID("018f0000-0000-7000-8000-00000000000a")


class Reported:
    """A Reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.steps: list[tuple[float, str]] = []

    def log(self, stream: str, text: str) -> None:
        self.lines += [(stream, line) for line in text.splitlines() or [""]]

    def progress(self, fraction: float, message: str) -> None:
        self.steps.append((fraction, message))

    def artefact(self, name: str, data: bytes, content_type: str) -> str:
        raise NotImplementedError

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        raise NotImplementedError

    def copy_artefact(self, artefact_id: str, to: Path) -> Input:
        raise NotImplementedError

    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str:
        raise NotImplementedError

    def of(self, stream: str) -> list[str]:
        return [text for name, text in self.lines if name == stream]


def make_context(type: str, payload: Mapping[str, Any], **fields: Any) -> Context:
    """One attempt; its organisation may run all programs there are."""
    return Context(
        **{
            "job_id": JOB_ID,
            "attempt": 1,
            "org": "acme",
            "type": type,
            "name": type,
            "payload": payload,
            "correlation_id": "corr-1",
            "timeout_seconds": 20,
            "org_settings": {"shell_programs": settings.SHELL_PROGRAMS},
            "reporter": Reported(),
            **fields,
        }
    )


def reported(context: Context) -> Reported:
    assert isinstance(context.reporter, Reported)
    return context.reporter


def run(type: str, payload: Mapping[str, Any], **fields: Any) -> Answer:
    return registry.get(type).perform(make_context(type, payload, **fields))


def make_claimed(type: str, payload: Mapping[str, Any], **fields: Any) -> Claimed:
    return Claimed(
        **{
            "job_id": JOB_ID,
            "attempt": 1,
            "token": UUID("018f0000-0000-7000-8000-00000000000b"),
            "queue": "default",
            "type": type,
            "name": type,
            "payload": payload,
            "correlation_id": "corr-1",
            "timeout_seconds": 20,
            "max_attempts": 4,
            "attempt_limit": 4,
            "org": "acme",
            "org_id": 1,
            "org_settings": {"shell_programs": settings.SHELL_PROGRAMS},
            "rank": 0.0,
            **fields,
        }
    )


def in_thread(context: Context) -> tuple[threading.Thread, list[BaseException]]:
    """Run the handler beside the test; what it raised is in the list afterwards."""
    ends: list[BaseException] = []

    def work() -> None:
        try:
            registry.get(context.type).perform(context)
        except BaseException as error:
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, ends


def make_attempt(claimed: Claimed) -> Attempt:
    return Attempt(claimed, held_until=time.monotonic() + 30)
