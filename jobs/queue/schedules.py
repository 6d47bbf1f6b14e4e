"""What people do to schedules: each act is checked, and audited in the transaction that does it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.cron import Cron, NotCron
from jobs.errors import InvalidSchedule, NameTaken, QueueError, ScheduleNotFound, VersionChanged
from jobs.hiding import hide, restore
from jobs.models import Missed, Schedule
from jobs.queue.brief import brief
from jobs.queue.enqueue import Enqueued, enqueue
from jobs.queue.new_job import NewJob, refusal
from jobs.queue.quotas import check_schedule
from jobs.strict_json import UNSTORABLE
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

FIELDS = ("name", "cron", "timezone", "missed", "is_paused", "job")
LONGEST_NAME = 64


def create(*, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> Schedule:
    """Make a schedule; `fields` are those of FIELDS. Raises InvalidSchedule, NameTaken, SchedulesFull."""
    scope.require(Action.MANAGE_SCHEDULES)
    schedule = Schedule(org=scope.org, created_by=scope.user, **fields)
    refuse_faults(schedule, scope)
    with brief():
        now = locked_now(scope.org)
        check_schedule(scope.org)
        set_due(schedule, now)
        note_pause(schedule, scope, now, "")
        save(schedule, force_insert=True)
        record("schedule.create", schedule, scope, request, old=None, new=shown(schedule))
    schedule.refresh_from_db(fields=["created_at", "updated_at"])
    return schedule


def change(
    schedule_id: UUID,
    *,
    scope: Scope,
    version: int | None,
    request: HttpRequest | None = None,
    reason: str = "",
    **fields: Any,
) -> Schedule:
    """Change some of FIELDS of the version that the caller has seen; None: whichever there is. `reason` is of a pause,
    and of the change in the audit trail.

    Raises ScheduleNotFound, VersionChanged, InvalidSchedule, NameTaken. Times that passed while it was paused are not
    made up for, and a changed expression counts from now.
    """
    scope.require(Action.MANAGE_SCHEDULES)
    with brief():
        now = locked_now(scope.org)
        schedule = locked(schedule_id, scope.org, version)
        old = shown(schedule)
        for name, value in fields.items():
            setattr(schedule, name, unmasked(value, schedule.job) if name == "job" else value)
        if shown(schedule) == old:
            return schedule
        refuse_faults(schedule, scope)
        if due_changed(old, shown(schedule)):
            set_due(schedule, now)
        if schedule.is_paused != old["is_paused"]:
            note_pause(schedule, scope, now, reason)
        schedule.version += 1
        schedule.updated_at = now
        save(schedule)
        why = {"reason": reason[:200]} if reason else {}
        record("schedule.change", schedule, scope, request, old=old, new=shown(schedule), **why)
    return schedule


def remove(schedule_id: UUID, *, scope: Scope, version: int | None, request: HttpRequest | None = None) -> None:
    """Delete a schedule, and the list of its times; the jobs it brought stay. Raises as change() does."""
    scope.require(Action.MANAGE_SCHEDULES)
    with brief():
        schedule = locked(schedule_id, scope.org, version)
        record("schedule.remove", schedule, scope, request, old=shown(schedule), new=None)
        schedule.delete()


def run_now(schedule: Schedule, *, scope: Scope, key: str | None, correlation_id: str, address: str | None) -> Enqueued:
    """Submit its job in the caller's name; when it is due does not change. Raises what enqueue() raises."""
    scope.require(Action.SUBMIT)
    new = NewJob(**{**schedule.job, "idempotency_key": key})
    caller: dict[str, Any] = {"user": scope.user, "role": scope.role, "actor": scope.actor}
    return enqueue(new, org=scope.org, **caller, correlation_id=correlation_id, address=address)


def unmasked(job: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The job as it was meant, where what was hidden of the old one was sent back."""
    return {**job, "payload": restore(job["payload"], old["payload"])} if job["type"] == old["type"] else job


def refuse_faults(schedule: Schedule, scope: Scope) -> None:
    """Raise InvalidSchedule for what its fields do not allow."""
    found: list[tuple[str, str | QueueError]] = []
    if not 1 <= len(schedule.name.strip()) <= len(schedule.name) <= LONGEST_NAME or UNSTORABLE.search(schedule.name):
        found.append(("/name", f"1 to {LONGEST_NAME} characters, none of them NUL."))
    try:
        cron_of(schedule)
    except NotCron as error:
        found.append(("/timezone" if "time zone" in str(error) else "/cron", str(error)))
    if schedule.missed not in Missed.values:
        found.append(("/missed", f"One of {', '.join(Missed.values)}."))
    if refused := refusal(NewJob(**schedule.job), scope.org, scope.role):
        found.append(("/job", refused))
    if found:
        raise InvalidSchedule(found)


def cron_of(schedule: Schedule) -> Cron:
    return Cron(schedule.cron, schedule.timezone)


def due_changed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return any(old[name] != new[name] for name in ("cron", "timezone", "is_paused"))


def set_due(schedule: Schedule, now: datetime) -> None:
    """The next time after now, by the database's clock."""
    schedule.next_at = None if schedule.is_paused else next(cron_of(schedule).after(now), None)
    if not schedule.is_paused and schedule.next_at is None:
        raise InvalidSchedule([("/cron", "This is never due.")])


def note_pause(schedule: Schedule, scope: Scope, now: datetime, reason: str) -> None:
    """Since when it is paused, by whom and why; nothing of one that is not."""
    paused = schedule.is_paused
    schedule.paused_at, schedule.paused_by = (now, scope.user) if paused else (None, None)
    schedule.pause_reason = reason[:200] if paused else ""


def locked_now(org: Org) -> datetime:
    """The database's time; schedules of an organisation are changed one after the other."""
    orgs = Org.objects.select_for_update(no_key=True).annotate(now=Now())
    found: datetime = orgs.values_list("now", flat=True).get(pk=org.pk)
    return found


def locked(schedule_id: UUID, org: Org, version: int | None) -> Schedule:
    schedule = Schedule.objects.for_org(org).select_for_update().filter(pk=schedule_id).first()
    if schedule is None:
        raise ScheduleNotFound
    if version is not None and schedule.version != version:
        raise VersionChanged
    return schedule


def save(schedule: Schedule, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            schedule.save(force_insert=force_insert)
    except IntegrityError as error:
        if "schedule_name_uniq" in str(error):
            raise NameTaken from error
        raise


def record(action: str, schedule: Schedule, scope: Scope, request: HttpRequest | None, **detail: Any) -> None:
    audit.record(action, org=scope.org, actor=scope.user, target=schedule.pk, request=request, **hide(detail))


def shown(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in FIELDS}
