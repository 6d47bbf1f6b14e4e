"""The leader submits the jobs of the schedules that are due: each time once, however often the leader changes.

The job, the record of the time (unique) and the next time are one transaction, in which the leader's term is held open:
a later leader begins its own only when that has ended, and finds the schedule moved on.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from jobs.cron import NotCron
from jobs.errors import QueueError
from jobs.ids import uuid7
from jobs.models import Missed, Schedule, ScheduleTick
from jobs.queue import sql
from jobs.queue.enqueue import Enqueued, Origin, accept
from jobs.queue.new_job import NewJob, refusal
from jobs.queue.schedules import cron_of
from orgs.models import Org

log = logging.getLogger(__name__)

# Schedules in one transaction, and times of one of them that are made up for at most.
FIRE_BATCH = 200
MOST_TIMES = 100
LONGEST_ERROR = 1_000


class Tick(NamedTuple):
    """A time that a schedule was due, and whether its job is still to be submitted."""

    schedule: Schedule
    at: datetime
    fires: bool


def fire(epoch: int) -> bool:
    """Submit what is due; True when there may be more. Call it inside the leader's transaction."""
    rows = sql.run("due_schedules", batch=FIRE_BATCH)
    if not rows:
        return False
    now: datetime = rows[0].now
    schedules = list(Schedule.objects.filter(pk__in=[row.id for row in rows]).select_related("org"))
    ticks = [tick for schedule in schedules for tick in due_ticks(schedule, now)]
    by_org: defaultdict[Org, list[Tick]] = defaultdict(list)
    for tick in ticks:
        by_org[tick.schedule.org].append(tick)
    for org, theirs in by_org.items():
        write(theirs, submitted(org, [tick for tick in theirs if tick.fires]), now, epoch)
    Schedule.objects.bulk_update(schedules, ["next_at", "last_at", "last_error"])
    return len(rows) == FIRE_BATCH


def due_ticks(schedule: Schedule, now: datetime) -> list[Tick]:
    """The times that came since it was last looked at, and its next one set."""
    since = schedule.next_at
    assert since is not None
    try:
        cron = cron_of(schedule)
        times = cron.newest(since, now, MOST_TIMES) or [since]
        schedule.next_at = next(cron.after(now), None)
    except NotCron as error:
        # a time zone that the installed database of them no longer has
        schedule.next_at, schedule.last_error = None, str(error)
        return []
    schedule.last_at = times[-1]
    grace = now - timedelta(seconds=settings.SCHEDULE_GRACE_SECONDS)
    return [Tick(schedule, at, at >= grace or made_up_for(schedule, at, times)) for at in times]


def made_up_for(schedule: Schedule, at: datetime, times: Sequence[datetime]) -> bool:
    """Of a time that was missed."""
    return schedule.missed == Missed.ALL or (schedule.missed == Missed.ONCE and at == times[-1])


def submitted(org: Org, ticks: list[Tick]) -> dict[tuple[object, datetime], Enqueued | QueueError]:
    """What became of each, by schedule and time. An error of one takes nothing from the others."""
    found: dict[tuple[object, datetime], Enqueued | QueueError] = {}
    by_schedule: defaultdict[Schedule, list[Tick]] = defaultdict(list)
    for tick in ticks:
        by_schedule[tick.schedule].append(tick)
    for schedule, theirs in by_schedule.items():
        outcomes = submit(org, schedule, theirs)
        found.update({(schedule.pk, tick.at): outcome for tick, outcome in zip(theirs, outcomes, strict=True)})
    return found


def submit(org: Org, schedule: Schedule, ticks: Sequence[Tick]) -> Sequence[Enqueued | QueueError]:
    origin = Origin(org, None, uuid7().hex, actor=f"schedule:{schedule.name}")
    try:
        with transaction.atomic():
            new = [NewJob(**{**schedule.job, "run_at": tick.at}) for tick in ticks]
            # people's caps may have been lowered since: what an admin has set up goes on
            return accept(new, [refusal(one, org) for one in new], origin)
    except (TypeError, ValueError, KeyError) as error:
        # stored by an older version, or by hand
        log.exception("the job of a schedule cannot be submitted", extra={"schedule": str(schedule.pk)})
        return [QueueError(f"{type(error).__name__}: {error}")] * len(ticks)


def write(
    ticks: Sequence[Tick],
    outcomes: dict[tuple[object, datetime], Enqueued | QueueError],
    now: datetime,
    epoch: int,
) -> None:
    """The record of each time, and the last error of each schedule."""
    rows = []
    for schedule, at, fires in ticks:
        outcome = outcomes.get((schedule.pk, at))
        row = ScheduleTick(schedule=schedule, at=at, fired_at=now, epoch=epoch, outcome=ScheduleTick.MISSED)
        if isinstance(outcome, Enqueued):
            row.outcome, row.job_id = ScheduleTick.FIRED, outcome.job_id
            schedule.last_error = ""
        elif fires and outcome is not None:
            row.outcome, row.error = ScheduleTick.REFUSED, explained(outcome)
            schedule.last_error = row.error
        rows.append(row)
    ScheduleTick.objects.bulk_create(rows)


def explained(error: QueueError) -> str:
    inner = "; ".join(f"{pointer} {text}" for pointer, text in getattr(error, "errors", []))
    return f"{error.detail} {inner}".strip()[:LONGEST_ERROR]
