"""The leader submits the jobs of the schedules that are due: each time once, however often the leader changes.

The job, the record of the time (unique) and the next time are one transaction, in which the leader's term is held open:
a later leader begins its own only when that has ended, and finds the schedule moved on.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

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
from jobs.references import Known

log = logging.getLogger(__name__)

# Schedules in one transaction, and times of one of them that are made up for at most.
FIRE_BATCH = 200
MOST_TIMES = 100
LONGEST_ERROR = 1_000


def fire(epoch: int) -> bool:
    """Submit what is due; True when there may be more. Call it inside the leader's transaction."""
    rows = sql.run("due_schedules", batch=FIRE_BATCH)
    if not rows:
        return False
    now: datetime = rows[0].now
    schedules = list(Schedule.objects.filter(pk__in=[row.id for row in rows]).select_related("org"))
    ticks = [tick for schedule in schedules for tick in fired(schedule, now, epoch)]
    ScheduleTick.objects.bulk_create(ticks)
    Schedule.objects.bulk_update(schedules, ["next_at", "last_at", "last_error"])
    return len(rows) == FIRE_BATCH


def fired(schedule: Schedule, now: datetime, epoch: int) -> list[ScheduleTick]:
    """Submit its jobs; the record of each time that came since it was last looked at, and its next one set."""
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
    due = [at for at in times if wanted(schedule, at, times, now)]
    outcomes = dict(zip(due, submit(schedule, due), strict=True))
    ticks = [tick(outcomes.get(at), schedule=schedule, at=at, fired_at=now, epoch=epoch) for at in times]
    if due:
        schedule.last_error = ticks[-1].error
    return ticks


def wanted(schedule: Schedule, at: datetime, times: Sequence[datetime], now: datetime) -> bool:
    """Whether the time was not missed, or is made up for."""
    missed = at < now - timedelta(seconds=settings.SCHEDULE_GRACE_SECONDS)
    return not missed or schedule.missed == Missed.ALL or (schedule.missed == Missed.ONCE and at == times[-1])


def submit(schedule: Schedule, times: Sequence[datetime]) -> Sequence[Enqueued | QueueError]:
    """What became of the job of each time. An error of one schedule takes nothing from the others."""
    origin = Origin(schedule.org, None, uuid7().hex, actor=f"schedule:{schedule.name}")
    try:
        with transaction.atomic():
            new = [NewJob(**{**schedule.job, "run_at": at}) for at in times]
            # people's caps may have been lowered since: what an admin has set up goes on
            known = Known(schedule.org)
            return accept(new, [refusal(one, schedule.org, known=known) for one in new], origin)
    except (TypeError, ValueError, KeyError) as error:
        # stored by an older version, or by hand
        log.exception("the job of a schedule cannot be submitted", extra={"schedule": str(schedule.pk)})
        return [QueueError(f"{type(error).__name__}: {error}")] * len(times)


def tick(outcome: Enqueued | QueueError | None, **fields: Any) -> ScheduleTick:
    match outcome:
        case None:
            return ScheduleTick(**fields, outcome=ScheduleTick.MISSED)
        case Enqueued():
            return ScheduleTick(**fields, outcome=ScheduleTick.FIRED, job_id=outcome.job_id)
    return ScheduleTick(**fields, outcome=ScheduleTick.REFUSED, error=explained(outcome))


def explained(error: QueueError) -> str:
    inner = "; ".join(f"{pointer} {text}" for pointer, text in getattr(error, "errors", []))
    return f"{error.detail} {inner}".strip()[:LONGEST_ERROR]
