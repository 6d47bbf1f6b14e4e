"""Where new jobs come into their queues: the fields of enqueue.sql that say so."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from jobs.handlers.external import ExternalHandler
from jobs.models import Job
from jobs.queue.backlog import Known, profile_of
from jobs.queue.new_job import NewJob
from jobs.queue.shares import Share, share_of
from jobs.ranking import Tuning, rank_offset

# What is due by the host's clock so soon may be due by the database's already.
CLOCKS_DIFFER = timedelta(seconds=5)
# What is further off than a year need not be told apart.
MOST_SECONDS = 365 * 24 * 3600.0
# Of seconds, in decimals: a microsecond, which is what a time has.
DECIMALS = 6


def give_places(rows: Sequence[dict[str, Any]], new: Sequence[NewJob], org_id: int, waiting: Collection[int]) -> None:
    """Rank the rows, in the order given; `waiting` are the places of those that wait for other jobs.

    What is due later gets its lead when it is queued.
    """
    queues: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(new):
        queues[one.queue].append(index)
    for queue, indexes in queues.items():
        share, known = share_of(org_id, queue), profile_of(queue)
        now = known.now
        due = [index for index in indexes if index not in waiting and is_due(new[index])]
        base = now + (behind(known, rows[due[0]]["type"], now) if due else 0.0)
        leads = dict(zip(due, share.leads([rows[index]["predicted_ms"] for index in due], base), strict=True))
        for index in indexes:
            row = rows[index]
            row["stretch"] = stretch(share.policy, new[index], row["predicted_ms"], share.tuning)
            row["share_offset"] = round(behind(known, row["type"], now), DECIMALS)
            row["rank_offset"] = round(at_least(leads.get(index, 0.0), share) * row["stretch"], DECIMALS)
            if index in leads and known.profile.slots and row["type"] != ExternalHandler.type:
                expect(row, leads[index] * share.tuning.rate * 1000, known, now)


def behind(known: Known, type: str, now: float) -> float:
    """Seconds, not above 0. Workers of an organisation's own take nothing in turn with others."""
    return 0.0 if type == ExternalHandler.type else known.profile.behind(type, now)


def at_least(lead: float, share: Share) -> float:
    """What is stretched: in order of arrival, the lead itself."""
    return lead if share.policy == "fifo" else max(lead, settings.RANK_LEAD_MIN_SECONDS)


def expect(row: dict[str, Any], known_ms: float, known: Known, now: float) -> None:
    """Say when it will start."""
    wait = known.profile.wait(row["share_offset"] + row["rank_offset"], now, known_ms)
    row |= {name: round(min(seconds, MOST_SECONDS), DECIMALS) for name, seconds in wait._asdict().items()}


def is_due(new: NewJob) -> bool:
    """Whether it may be queued at once; enqueue.sql decides."""
    if new.run_at is not None:
        return new.run_at <= timezone.now() + CLOCKS_DIFFER
    return not new.delay_seconds


def stretch(policy: str, new: NewJob, predicted_ms: float, tuning: Tuning) -> float:
    """By how much its lead is multiplied; a head start goes that part of the way to the least or, below 0, the most."""
    if not new.head_start or policy == "fifo":
        return of_one_second(policy, predicted_ms, new.urgency, tuning)
    plain = of_one_second(policy, predicted_ms, "medium", tuning)
    return float(plain ** (1.0 - abs(new.head_start)) * settings.RANK_STRETCH**-new.head_start)


def of_one_second(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    return rank_offset(policy, predicted_ms, urgency, tuning._replace(tau_seconds=1.0))


def stretch_with(job: Job, share: Share, urgency: str) -> float:
    """The stretch of a stored job, had it had this urgency: by what is now known of what is usual."""
    if share.policy == "fifo":
        return job.stretch
    return of_one_second(share.policy, job.predicted_ms, urgency, share.tuning)
