"""What people do to jobs and queues: each act is audited in the transaction that does it."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import IllegalMove, InvalidJob, JobNotFound, QueueFull, VersionChanged
from jobs.handlers import registry
from jobs.hiding import hide, restore
from jobs.models import Job, Lease, Pause, Queue
from jobs.queue import quotas, sql
from jobs.queue.brief import brief
from jobs.queue.callbacks import follow_soon
from jobs.queue.claim import ANYWHERE
from jobs.queue.enqueue import canonical, payload_limit_faults
from jobs.queue.new_job import check_payload, check_role
from jobs.queue.notify import command, wake
from jobs.queue.pause_times import PAUSE_FIELDS, Until, end_of, refuse_past
from jobs.queue.shares import spacing
from orgs import audit, limit_hits
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

REPLAY_BATCH = 1_000
HOLD_BATCH = 5_000
# How long after a pause the leader looks for waiting jobs to mark, the ones being stored at that moment included.
HOLD_FOR = timedelta(minutes=1)
# A job can move between the snapshot of a cancel and its write (being claimed, promoted); then look again.
CANCEL_TRIES = 5


# Raises what keeps an act from being done, such as VersionChanged, once nothing about the job can change any more.
Check = Callable[[], None]


def cancel(
    job_id: UUID,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    check: Check | None = None,
) -> str:
    """Cancel a waiting job ("cancelled") or ask the worker of a running one to stop ("cancelling").

    Raises JobNotFound, or IllegalMove for a job that has ended.
    """
    scope.require(Action.CANCEL)
    with brief():
        checked(job_id, check)
        for _ in range(CANCEL_TRIES):
            rows = sql.run(
                "cancel",
                job_ids=[job_id],
                org_id=scope.org.pk,
                actor=scope.actor,
                reason=reason[:200],
            )
            if rows:
                break
        else:
            raise moved_on(job_id, scope)
        became: str = rows[0].became
        if rows[0].awaited:
            follow_soon()
        if became == "cancelling":
            command(Lease.objects.filter(job_id=job_id).values_list("worker_id", flat=True), "renew")
        said = {"old": rows[0].was, "new": became, "reason": reason}
        audit.record("job.cancel", org=scope.org, actor=scope.user, target=job_id, request=request, **said)
    return became


def checked(job_id: UUID, check: Check | None) -> None:
    """Hold the job as it is until the transaction is over, and look at it."""
    if check is not None:
        sql.run("hold_job", job_id=job_id)
        check()


def replay(
    job_id: UUID,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    payload: dict[str, Any] | None = None,
    reason: str = "",
    check: Check | None = None,
) -> None:
    """Send a dead letter back, with an edited payload if one is given; masks in it stand for what they hid.

    Raises JobNotFound, IllegalMove when it is not (or no longer) failed, InvalidPayload, QueueFull.
    """
    scope.require(Action.REPLAY)
    job = Job.objects.for_org(scope.org).filter(pk=job_id).first()
    if job is None:
        raise JobNotFound
    if payload is not None:
        payload = restore(payload, job.payload)
        check_edited(job, payload, scope)
    with brief():
        room = quotas.room_for(scope.org, 1)
        checked(job_id, check)
        about = {"reason": reason[:200]} if reason else {}
        old = job.payload
        done = replay_batch(
            [job_id], scope=scope, request=request, payload=payload, old_payload=old, about=about, room=room
        )
        if done.full:
            raise done.full
        if not done.ids:
            raise moved_on(job_id, scope)


class Replayed(NamedTuple):
    """Which dead letters were sent back, and for which there was no room, and why."""

    ids: list[UUID]
    refused: list[UUID]
    full: QueueFull | None


def replay_many(
    job_ids: Iterable[UUID], *, scope: Scope, request: HttpRequest | None = None, reason: str = ""
) -> Replayed:
    """Send back those of these jobs that are dead letters of the organisation, as far as there is room for them."""
    scope.require(Action.REPLAY)
    chosen, told = list(job_ids), Replayed([], [], None)
    about = {"reason": reason[:200]} if reason else {}
    for start in range(0, len(chosen), REPLAY_BATCH):
        some = chosen[start : start + REPLAY_BATCH]
        with brief():
            room = quotas.room_for(scope.org, len(some))
            ids, refused, full = replay_batch(some, scope=scope, request=request, about=about, room=room)
        told = Replayed(told.ids + ids, told.refused + refused, full or told.full)
    return told


def replay_batch(
    job_ids: Sequence[UUID],
    *,
    scope: Scope,
    request: HttpRequest | None,
    payload: dict[str, Any] | None = None,
    old_payload: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
    room: quotas.Room | None = None,
) -> Replayed:
    """Within a transaction, whose room is quotas.room_for(). `about` goes into the trail beside the jobs."""
    edited = payload is not None
    rows = sql.run(
        "replay",
        job_ids=list(job_ids),
        org_id=scope.org.pk,
        actor=scope.actor,
        payload=json.dumps(payload) if edited else None,
        payload_bytes=len(canonical(payload)) if edited else None,
        room_jobs=room.jobs_left if room else None,
        room_bytes=room.bytes_left if room else None,
        **spacing(),
    )
    revived, refused = [row for row in rows if row.fits], [row.job_id for row in rows if not row.fits]
    wake((row.queue, row.rank) for row in revived)
    if revived:
        changes = hide({"old": {"payload": old_payload}, "new": {"payload": payload}}) if edited else {}
        record_replay([row.job_id for row in revived], scope, request, {**(about or {}), **changes})
    full = room.full(len(revived), sum(row.bytes for row in revived)) if room and refused else None
    if full:
        limit_hits.note(scope.org.pk, full.quota, len(refused))
    return Replayed([row.job_id for row in revived], refused, full)


def record_replay(job_ids: Sequence[UUID], scope: Scope, request: HttpRequest | None, about: dict[str, Any]) -> None:
    ids = [str(job_id) for job_id in job_ids]
    target = ids[0] if len(ids) == 1 else f"{len(ids)} jobs"
    audit.record("job.replay", org=scope.org, actor=scope.user, target=target, request=request, jobs=ids, **about)


def check_edited(job: Job, payload: dict[str, Any], scope: Scope) -> None:
    if faults := payload_limit_faults(payload, scope.org):
        raise InvalidJob(faults)
    handler = registry.get(job.type)
    check_payload(handler, payload, scope.org)
    check_role(handler, payload, scope.role)


def moved_on(job_id: UUID, scope: Scope) -> JobNotFound | IllegalMove:
    """Why a job was not where the act needs it."""
    job = Job.objects.for_org(scope.org).with_state().filter(pk=job_id).first()
    return IllegalMove(f"The job is {job.state}.", status=job.state) if job else JobNotFound()


def pause(
    name: str,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    reason: str = "",
    until: Until = None,
    version: int | None = None,
) -> int:
    """No job of the organisation's queue is claimed from now on; running ones go on, new ones wait. The leader ends the
    pause at the time `until`, or after it; None: a person does.

    Returns the version that the queue has by that. Raises VersionChanged where the queue is not of the version that the
    caller has seen; None: whichever there is.

    The leader marks the waiting ones held, so that claims for others need not scan past them.
    """
    scope.require(Action.PAUSE)
    with brief():
        queue = queue_of(name, scope, version)
        old = state(queue)
        queue.paused_at, queue.paused_by, queue.pause_reason = Now(), scope.user, reason[:200]
        queue.resume_at = end_of(until)
        queue.save(update_fields=[*PAUSE_FIELDS, "version"])
        queue.refresh_from_db(fields=["paused_at", "resume_at"])
        refuse_past(queue)
        changed = {"old": old, "new": state(queue)}
        audit.record(
            "queue.pause", org=scope.org, actor=scope.user, target=name, request=request, reason=reason, **changed
        )
    return queue.version


def state(queue: Queue) -> dict[str, Any]:
    """What a pause changes, for the audit trail."""
    found: dict[str, Any] = {"paused": queue.paused_at is not None, "reason": queue.pause_reason}
    return found | ({"resume_at": queue.resume_at.isoformat()} if queue.resume_at else {})


def resume(
    name: str,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    version: int | None = None,
    undo_seconds: float | None = None,
) -> None:
    """Let the queue's jobs be claimed again: the first at once, a great backlog batch by batch by the leader.

    With `undo_seconds` only where it was paused no longer ago, by the database's clock: VersionChanged else.
    """
    scope.require(Action.PAUSE)
    with brief():
        queue = queue_of(name, scope, version)
        undone = {} if undo_seconds is None else {"undo": True}
        if undo_seconds is not None:
            late = Q(paused_at__isnull=True) | Q(paused_at__lt=Now() - timedelta(seconds=undo_seconds))
            if Queue.objects.filter(late, pk=queue.pk).exists():
                raise VersionChanged
        old = open_again(queue)
        changed = {**undone, "old": old, "new": state(queue)}
        audit.record("queue.resume", org=scope.org, actor=scope.user, target=name, request=request, **changed)


def open_again(queue: Queue) -> dict[str, Any]:
    """End the pause of a queue that queue_of() has locked; returns how it was."""
    old = state(queue)
    queue.paused_at, queue.paused_by, queue.pause_reason, queue.resume_at = None, None, "", None
    queue.save(update_fields=[*PAUSE_FIELDS, "version"])
    sql.run("unhold", batch=HOLD_BATCH)
    wake([(queue.name, ANYWHERE)], many=True)
    return old


def order_by(
    name: str, policy: str, *, scope: Scope, request: HttpRequest | None = None, version: int | None = None
) -> None:
    """Rank the new jobs of the organisation's queue by this policy; empty: as the deployment has it.

    Those that wait keep their places: each was promised how long it may be passed.
    """
    scope.require(Action.PAUSE)
    with brief():
        queue = queue_of(name, scope, version)
        old, queue.policy = queue.policy, policy
        queue.save(update_fields=["policy", "version"])
        changed = {"old": {"policy": old}, "new": {"policy": policy}}
        audit.record("queue.policy", org=scope.org, actor=scope.user, target=name, request=request, **changed)


def queue_of(name: str, scope: Scope, version: int | None) -> Queue:
    """Locked, to be saved as the next version."""
    queue = Queue.objects.select_for_update().filter(org=scope.org, name=name).first()
    if queue is None:
        raise JobNotFound(f"There is no queue {name!r:.60}.")
    if version is not None and queue.version != version:
        raise VersionChanged
    queue.version += 1
    return queue


def keep_held(*, everywhere: bool = False) -> int:
    """The leader's share of pausing: mark what waits in paused queues, or in any of an organisation that is not active
    or is paused, unmark the rest; returns rows changed.

    What comes long after a pause is held from the start; to look for more would read the whole queue of all the
    others. `everywhere` does, for what was left while nobody led.
    """
    changed = 0
    for queue, org_id in held_back(everywhere):
        changed += sql.run("hold", queue=queue, org_id=org_id, batch=HOLD_BATCH)[0].jobs
    freed = sql.run("unhold", batch=HOLD_BATCH)
    wake(((row.queue, row.rank) for row in freed), many=True)
    return int(changed + sum(row.jobs for row in freed))


def held_back(everywhere: bool) -> list[tuple[str | None, int]]:
    """(queue, organisation) of all that is held back, None for each of its queues; or of what has been so of late."""
    queues = Queue.objects.filter(paused_at__isnull=False)
    orgs = Org.objects.filter(Q(suspended_at__isnull=False) | Q(erase_at__isnull=False))
    pauses = Pause.objects.filter(type="")
    if not everywhere:
        since = Now() - HOLD_FOR
        queues = queues.filter(paused_at__gt=since)
        orgs = orgs.filter(Q(suspended_at__gt=since) | Q(closed_at__gt=since))
        pauses = pauses.filter(paused_at__gt=since)
    whole = {*orgs.values_list("pk", flat=True), *pauses.values_list("org_id", flat=True)}
    return [*queues.values_list("name", "org_id"), *((None, pk) for pk in sorted(whole))]
