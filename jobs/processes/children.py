"""Isolated attempts: run in a process of their own, which may crash, hang or eat memory without harm to the worker."""

import contextlib
import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from jobs.handlers.base import Answer, Context, Done, Fail, Handler, Retry, StopReason
from jobs.handlers.output import READ_BYTES, Output
from jobs.handlers.shell import signal_name
from jobs.processes.servers import server_for
from jobs.processes.wire import Garbled, Lines, line

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
# After it was told to, a minder has so long to kill what it minds; then it is killed, and its child with it.
MINDER_SECONDS = 2.0


class Crashed(Exception):
    """The process of an attempt ended before it had answered; the message says how, for people."""


def run_in_child(context: Context, handler: Handler, *, hidden: Sequence[str] = ()) -> Answer:
    """The answer of the context's handler, run in a child, whose log lines do not show what is hidden. Raises Crashed.

    All the child started is gone then.
    """
    with contextlib.ExitStack() as stack:
        talk, theirs = pair(stack)
        watch, minders = pair(stack)
        (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
        outputs = [stack.enter_context(os.fdopen(fd, "rb", 0)) for fd in (stdout, stderr)]
        try:
            server = server_for(handler.type if handler.is_confined(context.payload) else "")
            server.fork(theirs.fileno(), minders.fileno(), stdout_end, stderr_end)
        finally:
            theirs.close()
            minders.close()
            os.close(stdout_end)
            os.close(stderr_end)
        return ChildRun(context, handler, talk, watch, *outputs, hidden=hidden).until_end()


def pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    stack.enter_context(theirs)
    return ours, theirs


class ChildRun:
    """One attempt in a child, as its slot's thread sees it."""

    def __init__(
        self,
        context: Context,
        handler: Handler,
        talk: socket.socket,
        watch: socket.socket,
        stdout: IO[bytes],
        stderr: IO[bytes],
        *,
        hidden: Sequence[str],
    ) -> None:
        self.context = context
        self.order = {
            "context": described(context),
            "limits": limits(handler.memory_max_bytes),
            "confined": handler.is_confined(context.payload),
            "hidden": list(hidden),
        }
        self.talk = talk
        self.sending = threading.Lock()
        self.answer: Answer | None = None
        self.exit_code: int | None = None
        self.minder: int | None = None
        self.kill_at: float | None = None
        limit = settings.SHELL_OUTPUT_MAX_BYTES
        self.outputs = {name: Output(limit, self.shows(name)) for name in ("stdout", "stderr")}
        self.selector = selectors.DefaultSelector()
        self.selector.register(talk, selectors.EVENT_READ, Lines(talk, self.told))
        self.selector.register(watch, selectors.EVENT_READ, Lines(watch, self.told))
        self.selector.register(stdout, selectors.EVENT_READ, Piped(stdout, self.outputs["stdout"]))
        self.selector.register(stderr, selectors.EVENT_READ, Piped(stderr, self.outputs["stderr"]))

    def shows(self, stream: str) -> Callable[[str], None]:
        return lambda text: self.context.log(text, stream)

    def until_end(self) -> Answer:
        self.context.on_stop(self.pass_on_stop)
        try:
            with self.selector:
                self.say(self.order)
                self.follow()
        except Garbled:
            self.signal(signal.SIGTERM)
            raise Crashed("Its process wrote what nobody understands.") from None
        except BaseException:
            self.signal(signal.SIGTERM)
            raise
        finally:
            if self.minder is not None:
                os.close(self.minder)
        for name, output in self.outputs.items():
            output.end()
            if left_out := output.total - len(output.head):
                self.context.log(f"… {left_out} bytes of {name} are left out.")
        if self.answer is None:
            raise Crashed(ending(self.exit_code))
        return self.answer

    def follow(self) -> None:
        """Until all that could write to us is gone."""
        while self.selector.get_map():
            for key, _ in self.selector.select(POLL_SECONDS):
                if not key.data.read():
                    self.selector.unregister(key.fileobj)
            self.kill_if_late()

    def told(self, word: dict[str, Any], data: bytes) -> None:
        """What the child or its minder says."""
        match word:
            case {"minder": int(pid)}:
                with contextlib.suppress(ProcessLookupError):
                    self.minder = os.pidfd_open(pid)
            case {"exit": int(code)}:
                self.exit_code = code
            case {"log": [str(stream), str(text)]}:
                self.context.log(text, stream)
            case {"progress": [int() | float() as fraction, str(message)]}:
                self.context.progress(fraction, message)
            case {"artefact": [str(name), str(content_type), int()]}:
                self.say(done(lambda: {"id": self.context.artefact(name, data, content_type)}))
            case {"artefact_file": [str(name), str(content_type), str(place)]}:
                self.say(done(lambda: {"id": self.context.artefact_file(name, self.place(place), content_type)}))
            # who has taken over a confined process could read and start by these what his job was not given
            case {"copy_artefact": [str(artefact_id), str(place)]} if not self.order["confined"]:
                self.say(done(lambda: {"input": self.brought(artefact_id, place)}))
            case {"enqueue": [dict(asked), str(key)]} if not self.order["confined"]:
                self.say(done(lambda: {"id": self.context.reporter.enqueue(asked, key)}))
            case {"not_confined": str(why)}:
                log.warning("AN ATTEMPT IS NOT CONFINED: %s", why, extra={"job": str(self.context.job_id)})
            case _:
                self.answer = answer_of(word)

    def place(self, name: str) -> Path:
        if "/" in name:
            raise ValueError(f"{name!r:.80} is no file of the attempt's folder")
        return self.context.path(name)

    def brought(self, artefact_id: str, place: str) -> list[str]:
        _, name, content_type = self.context.copy_artefact(artefact_id, self.place(place).name)
        return [name, content_type]

    def say(self, word: dict[str, Any]) -> None:
        with self.sending, contextlib.suppress(OSError):
            self.talk.sendall(line(word))

    def pass_on_stop(self) -> None:
        self.say({"stop": self.context.stop_reason})

    def kill_if_late(self) -> None:
        """A handler that was asked to stop and goes on is killed, with all that it has started."""
        if self.context.seconds_left() <= 0:
            self.context.stop(StopReason.TIMEOUT)
        if not self.context.cancelled:
            return
        now = time.monotonic()
        if self.kill_at is None:
            self.kill_at = now + settings.CHILD_KILL_GRACE_SECONDS
        elif now > self.kill_at + MINDER_SECONDS:
            self.signal(signal.SIGKILL)
        elif now > self.kill_at:
            self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        if self.minder is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.minder, number)


def done(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the child is told of an act that it asked for."""
    try:
        return act()
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}


class Piped:
    """What a child writes to one of its outputs."""

    def __init__(self, source: IO[bytes], output: Output) -> None:
        self.source = source
        self.output = output

    def read(self) -> bool:
        chunk = os.read(self.source.fileno(), READ_BYTES)
        self.output.feed(chunk)
        return bool(chunk)


def answer_of(word: dict[str, Any]) -> Answer:
    match word:
        case {"done": result}:
            return Done(result)
        case {"retry": [str(reason), None | int() | float() as after, str(kind), result]}:
            return Retry(reason, after, kind, result)
        case {"fail": [str(reason), str(kind), result]}:
            return Fail(reason, kind, result)
    raise Garbled


def described(context: Context) -> dict[str, Any]:
    return {
        "job_id": str(context.job_id),
        "attempt": context.attempt,
        "org": context.org,
        "type": context.type,
        "name": context.name,
        "payload": context.payload,
        "correlation_id": context.correlation_id,
        "timeout_seconds": context.seconds_left(),
        "org_settings": dict(context.org_settings),
        "folder": context.folder and str(context.folder),
    }


def limits(memory_max_bytes: int | None) -> dict[str, int]:
    most = settings.CHILD_MEMORY_MAX_BYTES
    return {
        "memory_bytes": min(memory_max_bytes or most, most),
        "processor_seconds": settings.CHILD_PROCESSOR_SECONDS,
        "file_bytes": settings.CHILD_FILE_MAX_BYTES,
        "processes": settings.CHILD_MAX_PROCESSES,
    }


def ending(code: int | None) -> str:
    """How a process ended that had not answered, for people."""
    if code is None:
        return "Its process ended, and nobody saw how."
    if code >= 0:
        return f"Its process exited with code {code} before it had answered."
    if -code == signal.SIGXCPU:
        return f"Its process had used {settings.CHILD_PROCESSOR_SECONDS} s of processor time."
    return f"Its process was ended by {signal_name(128 - code) or f'signal {-code}'}."
