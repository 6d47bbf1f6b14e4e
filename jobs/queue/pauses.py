"""Pausing a kind of jobs or a whole organisation; and the end of pauses whose time has come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import InvalidPause, PauseNotFound
from jobs.handlers import registry
from jobs.models import Pause, Queue
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.control import HOLD_BATCH, open_again, state
from jobs.queue.limit_control import look_again
from jobs.queue.new_job import MAX_LENGTHS
from jobs.queue.notify import wake
from jobs.queue.pause_times import Until, end_of, refuse_past
from jobs.strict_json import UNSTORABLE
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

RESUME_BATCH = 50
ITS_TIME = "its time had come"


def pause_kind(
    type: str,
    name: str = "",
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    until: Until = None,
) -> tuple[Pause, bool]:
    """No job of this type and name starts from now on, in no queue; of any name when it is empty, and of any type when
    that is empty too. One that is paused already gets this reason and end. Returns whether it is new.

    The whole organisation, and what comes in from now on, is held at once; of a kind what waits already is marked batch
    by batch, as for limits. Raises InvalidPause.
    """
    scope.require(Action.PAUSE)
    if found := faults(type, name):
        raise InvalidPause(found)
    fields = {"paused_at": Now(), "paused_by": scope.user, "reason": reason[:200], "resume_at": end_of(until)}
    with brief():
        old = Pause.objects.for_org(scope.org).select_for_update().filter(type=type, name=name).first()
        before = shown(old) if old else None
        pause, created = Pause.objects.update_or_create(org=scope.org, type=type, name=name, defaults=fields)
        pause.refresh_from_db(fields=["paused_at", "resume_at"])
        refuse_past(pause)
        told("pause", pause, scope, request, reason=reason, old=before, new=shown(pause))
        if created and type:
            look_again(scope.org)
    return pause, created


def resume_kind(pause_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> Pause:
    """Let these jobs start again: the first at once, a great backlog batch by batch by the leader. Raises
    PauseNotFound."""
    scope.require(Action.PAUSE)
    with brief():
        pause = Pause.objects.for_org(scope.org).select_for_update().filter(pk=pause_id).first()
        if pause is None:
            raise PauseNotFound
        told("resume", pause, scope, request, old=shown(pause), new=None)
        end(pause)
    return pause


def faults(type: str, name: str) -> list[tuple[str, str]]:
    if type and type not in registry.types():
        return [("/type", f"There is no job type {type!r:.40}.")]
    if name and not type:
        return [("/type", "Of which type is it?")]
    if len(name) > MAX_LENGTHS["name"] or UNSTORABLE.search(name):
        return [("/name", f"{MAX_LENGTHS['name']} characters at most, none of them NUL.")]
    return []


def end(pause: Pause) -> None:
    """Delete it, and free what it held."""
    org, whole = pause.org, not pause.type
    pause.delete()
    if not whole:
        look_again(org)
        return
    freed = sql.run("unhold", batch=HOLD_BATCH)
    wake(((row.queue, row.rank) for row in freed), many=True)


def shown(pause: Pause) -> dict[str, Any]:
    end: datetime | None = pause.resume_at
    return {"reason": pause.reason} | ({"resume_at": end.isoformat()} if end else {})


def told(act: str, pause: Pause, scope: Scope, request: HttpRequest | None, **detail: Any) -> None:
    audit.record(f"{what(pause)}.{act}", org=scope.org, actor=scope.user, target=of(pause), request=request, **detail)


def what(pause: Pause) -> str:
    return "kind" if pause.type else "org"


def of(pause: Pause) -> str:
    return pause.of if pause.type else pause.org.slug


def resume_due() -> bool:
    """The leader's share: end the pauses whose time has come; True when there may be more."""
    queues = Queue.objects.select_for_update(skip_locked=True, of=("self",)).select_related("org")
    due = list(queues.filter(resume_at__lte=Now())[:RESUME_BATCH])
    for queue in due:
        queue.version += 1
        old = open_again(queue)
        record("queue.resume", queue.org, queue.name, old=old, new=state(queue))
    pauses = Pause.objects.select_for_update(skip_locked=True, of=("self",)).select_related("org")
    over = list(pauses.filter(resume_at__lte=Now())[:RESUME_BATCH])
    for pause in over:
        record(f"{what(pause)}.resume", pause.org, of(pause), old=shown(pause), new=None)
        end(pause)
    return RESUME_BATCH in (len(due), len(over))


def record(action: str, org: Org, target: str, **detail: Any) -> None:
    audit.record(action, org=org, target=target, reason=ITS_TIME, **detail)
