"""The process of one isolated attempt: takes its order from the worker, runs the handler and answers."""

import json
import os
import queue
import resource
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import psutil
from django.conf import settings

from jobs.errors import LeaseLost
from jobs.handlers import registry
from jobs.handlers.artefact_names import check_name
from jobs.handlers.base import Answer, Context, Done, Fail, Input, PermanentFailure, Retry, StopReason, running
from jobs.handlers.launcher import lower, threads_of
from jobs.handlers.results import BadResult, json_result
from jobs.masking import Mask, activate
from jobs.processes.confine import NotConfined, confine
from jobs.processes.executor import PERMANENT, for_people
from jobs.processes.reporting import check_file, check_progress, lines_of
from jobs.processes.wire import line
from jobs.queue.finish import MAX_ERROR_CHARACTERS

# More than is kept of it.
MESSAGE_CHARACTERS = 1_000


def perform(talk: socket.socket) -> None:
    """One attempt: take the order, run the handler, give the answer."""
    reading = talk.makefile("rb")
    order = json.loads(reading.readline())
    job_id = UUID(order["context"].pop("job_id"))
    folder = Path(text) if (text := order["context"].pop("folder")) else None
    sender = Sender(talk, job_id)
    if order["hidden"]:
        # for as long as this process lives
        activate(Mask(order["hidden"]))
    context = Context(job_id=job_id, **order["context"], folder=folder, reporter=sender)
    # shut in, it sees nothing of other processes; root is not limited by them
    threads = threads_of(os.getuid()) if os.geteuid() != 0 else 0
    if order["confined"] and not shut_in(context, sender):
        return
    threading.Thread(target=listen, args=(reading, context, sender), daemon=True).start()
    limit(order["limits"], threads)
    if "numpy" in sys.modules:
        # Python sees to its own; without this every child would draw the same numbers
        sys.modules["numpy"].random.seed()
    running.set(context)
    try:
        handler = registry.get(context.type)
        # a confined one was checked by the worker, which knows settings that are no business of this process
        answer = told(handler.run(context) if order["confined"] else handler.perform(context))
    except BaseException as error:
        answer = raised(error)
    sender.send(answer)


def shut_in(context: Context, sender: "Sender") -> bool:
    """False where that is required and cannot be; the answer is given then."""
    assert context.folder is not None
    if settings.CHILD_SANDBOX == "off":
        return True
    try:
        confine(context.folder)
    except NotConfined as error:
        sender.send({"not_confined": str(error)})
        if settings.CHILD_SANDBOX == "required":
            text = f"{context.type} jobs are refused on this worker: {error}"
            sender.send({"retry": [text, None, "SandboxMissing", None]})
            return False
    return True


def limit(limits: Mapping[str, int], threads: int) -> None:
    """Of memory, what the job may take beside what is loaded already; of processes, beside those of its account."""
    loaded = psutil.Process().memory_info().data
    lower(resource.RLIMIT_DATA, loaded + limits["memory_bytes"])
    lower(resource.RLIMIT_CPU, limits["processor_seconds"])
    lower(resource.RLIMIT_FSIZE, limits["file_bytes"])
    lower(resource.RLIMIT_CORE, 0)
    if os.geteuid() != 0:
        lower(resource.RLIMIT_NPROC, threads + limits["processes"])


def listen(reading: IO[bytes], context: Context, sender: "Sender") -> None:
    """What the worker says meanwhile: stop, and what became of a file or a job."""
    for text in reading:
        word = json.loads(text)
        if "stop" in word:
            context.stop(StopReason(word["stop"]))
        else:
            sender.files.put(word)


class Sender:
    """The Reporter of a child: its lines, progress and files go to the worker."""

    def __init__(self, talk: socket.socket, job_id: UUID) -> None:
        self.talk = talk
        self.job_id = job_id
        self.lock = threading.Lock()
        self.keeping = threading.Lock()
        self.files: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def log(self, stream: str, text: str) -> None:
        for text_line in lines_of(stream, text):
            self.send({"log": [stream, text_line]})

    def progress(self, fraction: float, message: str) -> None:
        check_progress(fraction)
        self.send({"progress": [fraction, message[:MESSAGE_CHARACTERS]]})

    def artefact(self, name: str, data: bytes, content_type: str) -> str:
        check_file(name, data, content_type)
        return str(self.ask({"artefact": [name, content_type, len(data)]}, data)["id"])

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        check_name(name, content_type)
        return str(self.ask({"artefact_file": [name, content_type, path.name]})["id"])

    def copy_artefact(self, artefact_id: str, to: Path) -> Input:
        name, content_type = self.ask({"copy_artefact": [artefact_id, to.name]})["input"]
        return Input(to, name, content_type)

    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str:
        return str(self.ask({"enqueue": [asked, key]})["id"])

    def ask(self, word: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        """What the worker answers. Raises what it raised there."""
        with self.keeping:
            self.send(word, data)
            kept = self.files.get()
        match kept:
            case {"error": "LeaseLost"}:
                raise LeaseLost(self.job_id)
            case {"error": "PermanentFailure", "text": text}:
                raise PermanentFailure(text)
            case {"error": _, "text": text}:
                raise ValueError(text)
        return kept

    def send(self, word: dict[str, Any], data: bytes = b"") -> None:
        with self.lock:
            self.talk.sendall(line(word) + data)


def told(answer: Answer) -> dict[str, Any]:
    """The handler's answer, for answer_of() in children.py."""
    match answer:
        case Done(result=result):
            return {"done": json_result(result)}
        case Retry(reason=reason, after_seconds=after, error_type=kind, result=result):
            return {"retry": [reason, after, kind, json_result(result)]}
        case Fail(reason=reason, error_type=kind, result=result):
            return {"fail": [reason, kind, json_result(result)]}
    raise BadResult(f"The handler answered {type(answer).__qualname__}, not Done, Retry or Fail.")


def raised(error: BaseException) -> dict[str, Any]:
    kind, text = type(error).__name__, for_people(error)[:MAX_ERROR_CHARACTERS]
    return {"fail": [text, kind, None]} if isinstance(error, PERMANENT) else {"retry": [text, None, kind, None]}
