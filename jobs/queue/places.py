"""Where new jobs come into their queues: the fields of enqueue.sql that say so."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone

from jobs import ranking
from jobs.handlers.external import ExternalHandler
from jobs.models import Job
from jobs.queue.backlog import Known, profile_of
from jobs.queue.new_job import NewJob
from jobs.queue.shares import FIFO, Share, share_of
from jobs.ranking import Tuning

# What is due by the host's clock so soon may be due by the database's already.
CLOCKS_DIFFER = timedelta(seconds=5)
# What is further off than a year need not be told apart.
MOST_SECONDS = 365 * 24 * 3600.0


def give_places(
    rows: Sequence[dict[str, Any]], new: Sequence[NewJob], org_id: int, waiting: Collection[int]
) -> list[dict[str, Any]]:
    """Stretch each row's lead, and say where jobs of each queue and type come in: enqueue.sql puts them one by one.

    `waiting` are the places of those that wait for other jobs. What is due later gets its lead when it is queued.
    """
    queues: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(new):
        queues[one.queue].append(index)
    places: list[dict[str, Any]] = []
    for queue, indexes in queues.items():
        share, known = share_of(org_id, queue), profile_of(queue)
        due = [rows[index]["predicted_ms"] for index in indexes if index not in waiting and is_due(new[index])]
        now = known.now
        behind = {type: behind_of(known, org_id, type, now) for type in {rows[index]["type"] for index in indexes}}
        if share.policy == FIFO:
            # whatever their types
            behind = dict.fromkeys(behind, min(behind.values()))
        lead = share.take(due, now + min(behind.values()))
        found = stretch_all([rows[index] for index in indexes], [new[index] for index in indexes], share)
        coming = Coming(lead, at_least(0.0, share), share.tuning.rate, min(found), max(found), sum(due), len(due))
        numbers = {type: len(places) + number for number, type in enumerate(behind)}
        for index in indexes:
            rows[index]["place"] = numbers[rows[index]["type"]]
        for type, seconds in behind.items():
            served = known.profile.slots and type != ExternalHandler.type
            about = {"place": numbers[type], "stream": numbers[next(iter(behind))], "share_offset": seconds}
            places.append(about | lead_of(coming) | (waits_of(coming, seconds, known, now) if served else {}))
    return places


class Coming(NamedTuple):
    """What comes into a queue together: the lead of the first, the least that counts, and what the others add to it."""

    lead_seconds: float
    least_seconds: float
    rate: float
    least_stretch: float
    most_stretch: float
    cost_ms: float
    jobs: int


def lead_of(coming: Coming) -> dict[str, float]:
    return {"lead_seconds": coming.lead_seconds, "least_seconds": coming.least_seconds, "rate": coming.rate}


def waits_of(coming: Coming, share_offset: float, known: Known, now: float) -> dict[str, float]:
    """When they will start: looked up for the first and the last, and straight in between."""
    lead, least, profile = coming.lead_seconds, coming.least_seconds, known.profile
    last = lead + coming.cost_ms / 1000.0 / coming.rate
    first_offset, last_offset = max(lead, least) * coming.least_stretch, max(last, least) * coming.most_stretch
    own_ms = lead * coming.rate * 1000.0
    wait = profile.seconds(share_offset + first_offset, now, own_ms)
    slope = 0.0
    if coming.jobs > 1 and last_offset > first_offset:
        longest = profile.seconds(share_offset + last_offset, now, own_ms + coming.cost_ms)
        slope = (min(longest, MOST_SECONDS) - wait) / (last_offset - first_offset)
    return {
        "wait_seconds": min(wait, MOST_SECONDS),
        "offset_seconds": first_offset,
        "wait_slope": max(slope, 0.0),
        "early_ratio": profile.early_ratio,
        "late_ratio": profile.late_ratio,
    }


def stretch_all(rows: Sequence[dict[str, Any]], new: Sequence[NewJob], share: Share) -> Collection[float]:
    """By how much each row's lead is multiplied; returns what there is among them. Often many of a call are alike."""
    known: dict[tuple[float, str, float], float] = {}
    for row, one in zip(rows, new, strict=True):
        alike = (row["predicted_ms"], one.first_urgency, one.head_start)
        if alike not in known:
            known[alike] = stretch(share.policy, one, row["predicted_ms"], share.tuning)
        row["stretch"] = known[alike]
    return known.values()


def behind_of(known: Known, org_id: int, type: str, now: float) -> float:
    """Seconds, not above 0. Workers of an organisation's own take nothing in turn with others."""
    return 0.0 if type == ExternalHandler.type else known.profile.behind(org_id, type, now)


def at_least(lead: float, share: Share) -> float:
    """What is stretched: in order of arrival, the lead itself."""
    return lead if share.policy == FIFO else max(lead, settings.RANK_LEAD_MIN_SECONDS)


def is_due(new: NewJob) -> bool:
    """Whether it may be queued at once; enqueue.sql decides."""
    if new.run_at is not None:
        return new.run_at <= timezone.now() + CLOCKS_DIFFER
    return not new.delay_seconds


def stretch(policy: str, new: NewJob, predicted_ms: float, tuning: Tuning) -> float:
    """By how much its lead is multiplied; a head start goes that part of the way to the least or, below 0, the most."""
    if not new.head_start or policy == FIFO:
        return ranking.stretch(policy, predicted_ms, new.first_urgency, tuning)
    plain = ranking.stretch(policy, predicted_ms, ranking.USUAL_URGENCY, tuning)
    return float(plain ** (1.0 - abs(new.head_start)) * settings.RANK_STRETCH**-new.head_start)


def stretch_with(job: Job, share: Share, urgency: str) -> float:
    """The stretch of a stored job, had it had this urgency: by what is now known of what is usual."""
    if share.policy == FIFO:
        return job.stretch
    return ranking.stretch(share.policy, job.predicted_ms, urgency, share.tuning)
