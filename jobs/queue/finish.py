"""End attempts: done, to be retried, failed, cancelled or released. Only for those that still hold their lease."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs import backoff
from jobs.queue import sql
from jobs.queue.claim import Claimed
from jobs.queue.notify import wake
from jobs.states import Outcome

MAX_ERROR_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How one attempt ended, as its worker saw it."""

    claimed: Claimed
    outcome: Outcome
    result: Any = None
    error_type: str = ""
    error: str = ""
    # Until the next try; None for the backoff.
    retry_seconds: float | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the job in the database."""

    job_id: UUID
    attempt: int
    to_status: str


def finish(ended: Sequence[Ended], *, worker_name: str) -> list[Settled]:
    """Write a batch of ends in one statement. An attempt that is missing in the answer had lost its lease."""
    rows = [as_row(end) for end in ended]
    settled = sql.run("finish", ended=json.dumps(rows), actor=f"worker:{worker_name}")
    wake(row.queue for row in settled if row.to_status == "queued")
    return [Settled(row.job_id, row.attempt, row.to_status) for row in settled]


def as_row(end: Ended) -> dict[str, Any]:
    return {
        "job_id": str(end.claimed.job_id),
        "attempt": end.claimed.attempt,
        "token": str(end.claimed.token),
        "outcome": end.outcome,
        "result": end.result,
        "error_type": end.error_type[:128],
        "error": end.error[:MAX_ERROR_CHARACTERS],
        "retry_seconds": retry_seconds(end),
        "permanent": end.permanent,
    }


def retry_seconds(end: Ended) -> float:
    """The handler's own wish (a Retry-After) within bounds, else the backoff for this many failures in this life."""
    if end.retry_seconds is not None and not math.isnan(end.retry_seconds):
        return min(max(end.retry_seconds, 0.0), settings.MAX_DELAY_DAYS * 86_400.0)
    return backoff.delay_seconds(
        end.claimed.failures,
        base=settings.RETRY_BASE_SECONDS,
        cap=settings.RETRY_CAP_SECONDS,
        jitter=settings.RETRY_JITTER_SECONDS,
    )
