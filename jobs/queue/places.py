"""Where new jobs come into their queues: the fields of enqueue.sql that say so."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from jobs.handlers.external import ExternalHandler
from jobs.models import Job, Queue
from jobs.queue.backlog import profile_of
from jobs.queue.new_job import NewJob
from jobs.queue.shares import share_of, untuned
from jobs.ranking import Tuning, rank_offset

# What is due by the host's clock so soon may be due by the database's already.
CLOCKS_DIFFER = timedelta(seconds=5)
# What is further off than a year need not be told apart.
MOST_SECONDS = 365 * 24 * 3600.0
# Of seconds, in decimals: a microsecond, which is what a time has.
DECIMALS = 6


def give_places(rows: Sequence[dict[str, Any]], new: Sequence[NewJob], org_id: int, waiting: Collection[int]) -> None:
    """Rank the rows, in the order given; `waiting` are the places of those that wait for other jobs.

    What is due later gets its start tag when it is queued.
    """
    queues: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(new):
        queues[one.queue].append(index)
    for queue, indexes in queues.items():
        share = share_of(org_id, queue)
        due = [index for index in indexes if index not in waiting and is_due(new[index])]
        leads = dict(zip(due, share.leads([rows[index]["predicted_ms"] for index in due]), strict=True))
        policy = share.policy or settings.QUEUE_POLICY
        for index in indexes:
            row = rows[index]
            row["rank_offset"] = offset(policy, new[index], row["predicted_ms"], share.tuning)
            if leads.get(index):
                row["share_offset"] = round(leads[index], DECIMALS)
        expect([rows[index] for index in due], queue, share.tuning.rate)


def expect(rows: Sequence[dict[str, Any]], queue: str, rate: float) -> None:
    """Say when they will start, where workers serve the queue. Those of an organisation's own are not known here."""
    known = profile_of(queue)
    if not known.profile.slots:
        return
    now = known.now
    for row in rows:
        if row["type"] == ExternalHandler.type:
            continue
        lead = row.get("share_offset", 0.0)
        wait = known.profile.wait(lead + row["rank_offset"], now, known_ms=lead * rate * 1000)
        row |= {name: round(min(seconds, MOST_SECONDS), DECIMALS) for name, seconds in wait._asdict().items()}


def is_due(new: NewJob) -> bool:
    """Whether it may be queued at once; enqueue.sql decides."""
    if new.run_at is not None:
        return new.run_at <= timezone.now() + CLOCKS_DIFFER
    return not new.delay_seconds


def offset(policy: str, new: NewJob, predicted_ms: float, tuning: Tuning) -> float:
    """Seconds after its start tag; a head start goes that part of the way to where no job could be sooner, or later."""
    plain = rank_offset(policy, predicted_ms, new.urgency, tuning)
    if not new.head_start or policy == "fifo":
        return plain
    if new.head_start > 0:
        return plain * (1.0 - new.head_start)
    return plain + (settings.RANK_SPAN * tuning.tau_seconds - plain) * -new.head_start


def policy_of(job: Job) -> str:
    """By which the new jobs of its queue are ranked."""
    queue = Queue.objects.filter(org=job.org_id, name=job.queue).first()
    return queue.ordered_by if queue else settings.QUEUE_POLICY


def offset_with(job: Job, policy: str, urgency: str) -> float:
    """The offset of a stored job, had it had this urgency when it was ranked; tau is taken to be that of then."""
    tuning = untuned()
    unit = tuning._replace(tau_seconds=1.0)
    had, has = (rank_offset(policy, job.predicted_ms, one, unit) for one in (job.urgency, urgency))
    return job.rank_offset * has / had if had else has * tuning.tau_seconds
