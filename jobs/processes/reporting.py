"""What running attempts report: log lines and progress, kept here until the worker's next flush; files at once."""

import io
import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import DataError, Error, IntegrityError, connection

from jobs.errors import LeaseLost, NoRoom, QueueError
from jobs.files import Altered, copy_out, forget, open_within, store_within
from jobs.handlers.artefact_names import check_name
from jobs.handlers.base import Input, PermanentFailure
from jobs.masking import MASK, Mask
from jobs.models import Artefact, Lease
from jobs.queue.brief import brief
from jobs.queue.claim import Claimed
from jobs.queue.fire import explained
from jobs.queue.lease import report
from jobs.queue.offspring import enqueue_for
from jobs.queue.quotas import check_room
from jobs.strict_json import UNSTORABLE

# What a name may hold.
HIDDEN_IN_NAME = "xxx"
STREAMS = {"log", "stdout", "stderr"}
log = logging.getLogger(__name__)
# sequence, stream, text, time.monotonic()
Line = tuple[int, str, str, float]


class AttemptReporter:
    """The Reporter of one attempt. Its handler writes from its thread, the worker takes from another."""

    # One for all: it is held for a few instructions, and to make one takes longer than that.
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, claimed: Claimed, written: int = 0) -> None:
        """`written`: so many lines of the attempt were reported before."""
        self.claimed = claimed
        self._lines: list[Line] = []
        self._sequence = written
        self._progress: tuple[float, str] | None = None
        self._enqueued = 0
        # Of what the attempt must not show; None for nearly all.
        self.mask: Mask | None = None

    def shown(self, text: str, by: str = MASK) -> str:
        return self.mask.text(text, by) if self.mask else text

    def log(self, stream: str, text: str) -> None:
        for line in lines_of(stream, self.shown(text)):
            self.add_line(stream, line)

    def add_line(self, stream: str, line: str) -> None:
        with self._lock:
            self._sequence += 1
            if self._sequence > settings.LOG_MAX_LINES:
                return
            if self._sequence == settings.LOG_MAX_LINES:
                stream, line = "log", f"… more than {settings.LOG_MAX_LINES} lines; the rest is dropped."
            self._lines.append((self._sequence, stream, line, time.monotonic()))

    def progress(self, fraction: float, message: str) -> None:
        check_progress(fraction)
        with self._lock:
            self._progress = (fraction, UNSTORABLE.sub("\ufffd", self.shown(message))[:200])

    def artefact(self, name: str, data: bytes, content_type: str) -> str:
        check_file(name, data, content_type)
        return self.keep(name, io.BytesIO(data), content_type)

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        check_name(name, content_type)
        with open_within(path.parent, path.name) as source:
            return self.keep(name, source, content_type)

    def copy_artefact(self, artefact_id: str, to: Path) -> Input:
        wanted = as_id(artefact_id)
        rows = Artefact.objects.kept().filter(org_id=self.claimed.org_id).seen_by(None)
        found = rows.filter(pk=wanted).first() if wanted else None
        if found is None:
            raise PermanentFailure(f"Your organisation has no artefact {artefact_id}; was it deleted, or too old?")
        try:
            copy_out(found, to)
        except FileNotFoundError:
            raise PermanentFailure(f"The bytes of artefact {artefact_id} are not kept any more.") from None
        except Altered:
            raise PermanentFailure(f"The bytes of artefact {artefact_id} are not those that were kept.") from None
        return Input(to, found.name, found.content_type)

    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str:
        """`borrowed`: the thread is none of ours, and keeps no connection."""
        with self._lock:
            self._enqueued += 1
        if self._enqueued > settings.ENQUEUE_MAX_JOBS:
            raise PermanentFailure(f"One attempt may submit at most {settings.ENQUEUE_MAX_JOBS} jobs.")
        try:
            return str(enqueue_for(self.claimed, asked, key))
        except LeaseLost:
            raise
        except QueueError as error:
            raise PermanentFailure(f"A job could not be submitted: {explained(error)}") from error
        finally:
            if borrowed:
                connection.close()

    def keep(self, name: str, source: IO[bytes], content_type: str) -> str:
        """Store the file and its row, if the attempt still holds its lease (else LeaseLost)."""
        claimed = self.claimed
        try:
            stored = store_within(claimed.org_id, source)
        except NoRoom as error:
            raise PermanentFailure(error.detail) from None
        artefact = Artefact(
            id=stored.id,
            org_id=claimed.org_id,
            job_id=claimed.job_id,
            attempt=claimed.attempt,
            name=self.shown(name, by=HIDDEN_IN_NAME),
            content_type=self.shown(content_type, by=HIDDEN_IN_NAME),
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            file=stored.name,
        )
        try:
            with brief():
                if not Lease.objects.select_for_update().filter(token=claimed.token).exists():
                    raise LeaseLost(claimed.job_id)
                check_room(claimed.org_id, stored.size_bytes)
                artefact.save(force_insert=True)
        except IntegrityError as error:
            forget(stored)
            raise ValueError(f"this attempt already has an artefact named {name!r}") from error
        except NoRoom as error:
            forget(stored)
            raise PermanentFailure(error.detail) from None
        except LeaseLost:
            forget(stored)
            raise
        return str(artefact.pk)

    @property
    def has_news(self) -> bool:
        """Whether take() would have anything, as far as can be told without its lock."""
        return bool(self._lines or self._progress)

    def take(self) -> tuple[list[Line], tuple[float, str] | None]:
        """Lines and progress since the last take."""
        with self._lock:
            lines, self._lines = self._lines, []
            progress, self._progress = self._progress, None
        return lines, progress

    def put_back(self, lines: list[Line], progress: tuple[float, str] | None) -> None:
        """What could not be written is kept for the next flush."""
        with self._lock:
            self._lines = lines + self._lines
            self._progress = self._progress or progress


# A reporter with the lines and the progress taken from it.
Taken = tuple[AttemptReporter, list[Line], tuple[float, str] | None]


def lines_of(stream: str, text: str) -> list[str]:
    """The lines that are kept of a text, as they are kept. Raises ValueError for an unknown stream."""
    if stream not in STREAMS:
        raise ValueError(f"stream must be one of {', '.join(sorted(STREAMS))}")
    lines = UNSTORABLE.sub("\ufffd", text).splitlines() or [""]
    # one more, which tells that the rest is dropped
    return [line[: settings.LOG_LINE_MAX_CHARACTERS] for line in lines[: settings.LOG_MAX_LINES + 1]]


def as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def check_progress(fraction: float) -> None:
    if not math.isfinite(fraction):
        raise ValueError("progress is a number from 0 to 1")


def check_file(name: str, data: bytes, content_type: str) -> None:
    check_name(name, content_type)
    if len(data) > settings.ARTEFACT_MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; in one piece an artefact has at most {settings.ARTEFACT_MAX_BYTES}")


def flush(reporters: Iterable[AttemptReporter]) -> None:
    """Write what these attempts have reported since the last time, in one statement.

    What the database refuses is dropped, and only that: it must not keep the attempts from ending.
    """
    taken = [(reporter, *reporter.take()) for reporter in reporters if reporter.has_news]
    if not taken:
        return
    try:
        write(taken)
    except (DataError, IntegrityError):
        log.exception("a report was refused")
        if len(taken) > 1:
            put_back(taken)
            for reporter, _, _ in taken:
                flush([reporter])
    except Error:
        put_back(taken)
        raise


def put_back(taken: Iterable[Taken]) -> None:
    for reporter, lines, progress in taken:
        reporter.put_back(lines, progress)


def write(taken: Iterable[Taken]) -> None:
    report(
        lines=[line_row(reporter, line) for reporter, lines, _ in taken for line in lines],
        progress=[progress_row(reporter, *progress) for reporter, _, progress in taken if progress],
    )


def line_row(reporter: AttemptReporter, line: Line) -> dict[str, Any]:
    sequence, stream, text, at = line
    age = time.monotonic() - at
    token = str(reporter.claimed.token)
    return {"token": token, "sequence": sequence, "stream": stream, "text": text, "age_seconds": age}


def progress_row(reporter: AttemptReporter, fraction: float, message: str) -> dict[str, Any]:
    return {"token": str(reporter.claimed.token), "progress": fraction, "progress_message": message}
