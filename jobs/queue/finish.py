"""End attempts: done, to be retried, failed, cancelled or released. Only for those that still hold their lease."""

import logging
import math
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DataError, Error, IntegrityError, transaction

from jobs import retries
from jobs.queue import sql
from jobs.queue.callbacks import follow_soon
from jobs.queue.claim import Ask, Claimed, claimed, params
from jobs.queue.limits import wake_limited
from jobs.queue.notify import wake
from jobs.states import Outcome
from jobs.strict_json import written

log = logging.getLogger(__name__)

UNSTORABLE = "BadResult"
MAX_ERROR_CHARACTERS = 8_000
# Outcomes after which there may be another try, later.
RETRIED = {Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED}


class Ended(NamedTuple):
    """How one attempt ended, as its worker saw it."""

    claimed: Claimed
    outcome: Outcome
    result: Any = None
    error_type: str = ""
    error: str = ""
    # Until the next try; None for the backoff.
    retry_seconds: float | None = None
    permanent: bool = False


class Settled(NamedTuple):
    """What became of the job in the database: the columns of settle.sql in their order."""

    job_id: UUID
    attempt: int
    queue: str
    to_status: str
    # its new place, when it waits again
    rank: float | None
    # a place or a token of a limit came free
    frees: bool
    # others wait for one of these ends: the same for all of an answer
    awaited: bool


def finish(ended: Sequence[Ended], *, worker_name: str) -> list[Settled]:
    """Write a batch of ends in one statement. An attempt that is missing in the answer had lost its lease."""
    settled = told(sql.rows("finish", **finish_params(ended, worker_name)))
    transaction.on_commit(lambda: say_ended(ended, settled))
    return settled


def finish_each(ended: Sequence[Ended], *, worker_name: str) -> list[Settled]:
    """finish(), where an end that the database refuses does not hold up the others."""
    try:
        return finish(ended, worker_name=worker_name)
    except (DataError, IntegrityError):
        log.exception("an end was refused")
        if len(ended) > 1:
            return [settled for end in ended for settled in finish_each([end], worker_name=worker_name)]
        if ended[0].error_type == UNSTORABLE:
            return []  # the watchdog will end it
        return finish_each([unstorable(ended[0])], worker_name=worker_name)


def note_fenced(late: Sequence[Claimed]) -> None:
    """Leave a mark at attempts whose workers came too late. No more than a mark: it must not hold anything up."""
    try:
        sql.run("note_fenced", job_ids=[one.job_id for one in late], numbers=[one.attempt for one in late])
    except Error:
        log.exception("a fenced attempt was not noted")


def unstorable(end: Ended) -> Ended:
    """What stands for an end that the database refuses."""
    text = "The result cannot be stored."
    return Ended(end.claimed, Outcome.ERROR, error_type=UNSTORABLE, error=text, permanent=True)


def finish_and_claim(ended: Sequence[Ended], ask: Ask) -> tuple[list[Settled], list[Claimed]]:
    """Write the ends of the last jobs and take the next ones: one round trip and one commit for both."""
    rows, taken = sql.together(("finish", finish_params(ended, ask.worker_name)), ("claim", params(ask)))
    settled = told(rows)
    say_ended(ended, settled)
    return settled, claimed(taken)


def say_ended(ended: Sequence[Ended], settled: Sequence[Settled]) -> None:
    """A line of the log for each end that was written. The text of an error is the job's and stays with it."""
    if not log.isEnabledFor(logging.INFO):
        return
    became = {one.job_id: one.to_status for one in settled}
    for end in ended:
        one = end.claimed
        if one.job_id in became:
            said = {"outcome": str(end.outcome), "became": became[one.job_id], "error_type": end.error_type[:128]}
            log.info("attempt ended", extra={**named(one), **said})


def named(one: Claimed) -> dict[str, Any]:
    """What every line about an attempt says, so that it is found by the ids of its job."""
    return {"correlation_id": one.correlation_id, "job": str(one.job_id), "attempt": one.attempt}


def finish_params(ended: Sequence[Ended], worker_name: str) -> dict[str, Any]:
    return {
        "job_ids": [end.claimed.job_id for end in ended],
        "ended": written({str(end.claimed.token): told_of(end) for end in ended}),
        "actor": f"worker:{worker_name}",
    }


def told(rows: sql.Tuples) -> list[Settled]:
    settled = [Settled(*row) for row in rows]
    wake((one.queue, one.rank) for one in settled if one.rank is not None)
    if freeing := [one.job_id for one in settled if one.frees]:
        wake_limited(job_ids=freeing)
    if settled and settled[0].awaited:
        follow_soon()
    return settled


def told_of(end: Ended) -> dict[str, Any]:
    """For finish.sql, which knows what the columns are that a usual end leaves out."""
    claimed, outcome, result, error_type, error, _, permanent = end
    row: dict[str, Any] = {"attempt": claimed.attempt}
    if result is not None:
        row["result"] = result
    if outcome is Outcome.DONE:
        return row
    row["outcome"] = outcome
    if outcome in RETRIED:
        row["retry_seconds"] = retry_seconds(end)
    if error or error_type or permanent:
        row |= {"error_type": error_type[:128], "error": error[:MAX_ERROR_CHARACTERS], "permanent": permanent}
    return row


def retry_seconds(end: Ended) -> float:
    """The handler's own wish (a Retry-After) within bounds, else the backoff for this many failures in this life."""
    if end.retry_seconds is not None and not math.isnan(end.retry_seconds):
        return min(max(end.retry_seconds, 0.0), settings.MAX_DELAY_DAYS * 86_400.0)
    return retries.delay_seconds(end.claimed.type, end.claimed.retry, end.claimed.failures)
