"""What a job type is, what it is given and what it may answer. Handlers import this and jobs.errors only."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jobs.errors import InvalidPayload, UnknownJobType
from jobs.handlers.context import Context, Input, Reporter, Stopped, StopReason, running
from jobs.handlers.schemas import Validator, faults

__all__ = [
    "Answer", "Context", "Done", "Fail", "Handler", "HandlerNotReady", "Input", "NotInstalled", "PermanentFailure",
    "Registry", "Reporter", "Retry", "StopReason", "Stopped", "TemporaryFailure", "registry", "running",
]  # fmt: skip


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
