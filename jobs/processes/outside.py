"""What workers outside report of their attempts: written at once, and only while they hold the lease."""

import hashlib
from collections.abc import Sequence

from django.db.models import Max

from jobs.errors import LeaseLost, NameTaken
from jobs.models import Artefact, Lease, LogLine
from jobs.processes.reporting import AttemptReporter, check_file, flush
from jobs.queue.brief import brief
from jobs.queue.external import held, mask_of, seen_alive
from jobs.queue.leases import Handle


def note(
    handle: Handle, lines: Sequence[tuple[str, str]], *, first: int | None, progress: tuple[float, str] | None
) -> int:
    """Keep (stream, text) lines, and how far it is; returns the number of the last line that is kept.

    `first` is the number of the first one: what was kept before is not kept twice. Without it they follow the last.
    Raises LeaseLost.
    """
    found = held(handle)
    if found is None:
        raise LeaseLost(handle.job_id)
    with brief():
        if not Lease.objects.select_for_update().filter(job_id=handle.job_id, token=handle.token).exists():
            raise LeaseLost(handle.job_id)
        kept = LogLine.objects.filter(job_id=handle.job_id, attempt=handle.attempt)
        last: int = kept.aggregate(last=Max("sequence"))["last"] or 0
        reporter = AttemptReporter(found.claimed, written=last if first is None else first - 1)
        reporter.mask = mask_of(found.claimed)
        for stream, text in lines:
            reporter.log(stream, text)
        if progress is not None:
            reporter.progress(*progress)
        flush([reporter])
        last = kept.aggregate(last=Max("sequence"))["last"] or 0
    seen_alive([found.worker_id])
    return last


def keep_file(handle: Handle, name: str, data: bytes, content_type: str) -> tuple[str, bool]:
    """Store a file with the attempt: its id, and whether it is new. Raises LeaseLost, NameTaken, ValueError."""
    check_file(name, data, content_type)
    found = held(handle)
    if found is None:
        raise LeaseLost(handle.job_id)
    try:
        return AttemptReporter(found.claimed).artefact(name, data, content_type), True
    except ValueError as error:
        same = Artefact.objects.filter(job_id=handle.job_id, attempt=handle.attempt, name=name)
        sha256 = hashlib.sha256(data).hexdigest()
        if (known := same.filter(sha256=sha256).first()) is not None:
            return str(known.pk), False
        raise NameTaken("This attempt has another file of this name already.") from error
