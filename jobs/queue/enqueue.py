"""Accept jobs: check, estimate, rank, store and wake a worker. The row and its place in the queue are one commit."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import transaction

from jobs import tracing
from jobs.errors import InvalidJob, InvalidPayload, KeyReused, QueueClosed, QueueError, QueueFull
from jobs.ids import uuid7, uuid7s
from jobs.models import Job, Queue
from jobs.queue import links, quotas, sql
from jobs.queue.alike import taken_out
from jobs.queue.artefacts import keep_inputs
from jobs.queue.brief import brief
from jobs.queue.described import described
from jobs.queue.new_job import (
    MAX_LENGTHS,
    QUEUE_NAME,
    NewJob,
    canonical,
    fingerprint,
    payload_limit_faults,
    refusal,
)
from jobs.queue.notify import wake
from jobs.queue.places import give_places
from jobs.queue.release import release_soon
from jobs.references import Known
from jobs.states import Status
from orgs import limit_hits
from orgs.models import Org, User
from orgs.roles import Role


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Where the job is; `created` is False when the idempotency key had already brought it."""

    job_id: UUID
    created: bool
    # Makes the next: most callers want only the id.
    make_job: Callable[[], Job] | None = field(default=None, compare=False, repr=False)

    @property
    def job(self) -> Job | None:
        """As it was stored, where it came alone and is new."""
        return self.make_job() if self.make_job else None


def enqueue(
    new: NewJob,
    *,
    org: Org,
    user: User | None,
    role: str = Role.ORG_ADMIN,
    correlation_id: str = "",
    address: str | None = None,
    actor: str = "",
) -> Enqueued:
    """Store one job. Raises InvalidJob, InvalidPayload, UnknownJobType, KeyReused, QueueFull, QueueClosed;
    then nothing is."""
    origin: dict[str, Any] = {"correlation_id": correlation_id, "address": address, "actor": actor}
    (outcome,) = enqueue_many([new], org=org, user=user, role=role, **origin)
    if isinstance(outcome, QueueError):
        raise outcome
    return outcome


def enqueue_many(
    new: Sequence[NewJob],
    *,
    org: Org,
    user: User | None,
    role: str = Role.ORG_ADMIN,
    correlation_id: str = "",
    address: str | None = None,
    actor: str = "",
) -> list[Enqueued | QueueError]:
    """Store many jobs with one statement; each has its own outcome, in the order given. `role` sets the caps.

    What a person (`user`) asked for, himself or with a key of his (`actor`), is audited, as one act.

    A job may wait for others of the call only if they come before it: so there are no circles.
    """
    known = Known(org)
    outcomes = [refusal(one, org, role, known) for one in new]
    return accept(new, outcomes, Origin(org, user, correlation_id or uuid7().hex, address=address, actor=actor))


class Origin(NamedTuple):
    """What all jobs of a call share."""

    org: Org
    user: User | None
    correlation_id: str
    batch_id: UUID | None = None
    # Where the call came from, for the audit trail.
    address: str | None = None
    # Who did it, where that is not the person himself.
    actor: str = ""
    # Whether it is held to the organisation's quotas; not what was promised before.
    counted: bool = True


Outcome = Enqueued | QueueError


def accept(new: Sequence[NewJob], refused: Sequence[QueueError | None], origin: Origin) -> list[Outcome]:
    """Store those that are not refused, and say what became of each."""
    store = accept_linked if any(one.waits for one in new) else accept_plain
    with tracing.of_submit(origin.correlation_id, len(new)):
        outcomes = store(new, refused, origin)
        made = (one.job_id for one in outcomes if isinstance(one, Enqueued) and one.created)
        tracing.created(origin.correlation_id, made)
    for quota, hits in Counter(one.quota for one in outcomes if isinstance(one, QueueFull)).items():
        limit_hits.note(origin.org.pk, quota, hits)
    return outcomes


def accept_plain(new: Sequence[NewJob], refused: Sequence[QueueError | None], origin: Origin) -> list[Outcome]:
    good = [place for place, error in enumerate(refused) if error is None]
    stored = dict(zip(good, store_new([new[place] for place in good], origin, {}), strict=True))
    return [error or stored[place] for place, error in enumerate(refused)]


def accept_linked(new: Sequence[NewJob], refused: Sequence[QueueError | None], origin: Origin) -> list[Outcome]:
    """The same for jobs that wait for others. In one transaction, in which no parent ends unseen.

    A job that others of the call name may turn out to have been there before (its idempotency key): then all is
    taken back and done again, now with what it is known to be.
    """
    outcomes: dict[int, Outcome] = {place: error for place, error in enumerate(refused) if error}
    earlier: dict[int, UUID] = {}
    while True:
        with brief():
            if origin.counted and not quotas.is_far(origin.org, len(new)):
                # before any row, so that nobody has a row and waits for this while who has this waits for the row
                quotas.hold(origin.org.pk, quotas.WAITING_JOBS)
            plan = links.planned(new, outcomes.keys(), earlier, origin.org)
            attempted = outcomes | plan.refused
            good = [place for place in range(len(new)) if place not in attempted]
            waiting_on = {index: len(plan.waits[place]) for index, place in enumerate(good) if place in plan.waits}
            stored = dict(zip(good, store_new([new[place] for place in good], origin, waiting_on), strict=True))
            surprises = {place: stored[place] for place in plan.named if not is_new(stored[place])}
            if not surprises:
                fresh = {
                    place: one.job_id for place, one in stored.items() if isinstance(one, Enqueued) and one.created
                }
                links.tie(plan, fresh, origin.org)
                release_soon(plan.over)
                return [(attempted | stored)[place] for place in range(len(new))]
            transaction.set_rollback(True)
        for place, outcome in surprises.items():
            if isinstance(outcome, Enqueued):
                earlier[place] = outcome.job_id
            else:
                outcomes[place] = outcome


def is_new(outcome: Outcome) -> bool:
    return isinstance(outcome, Enqueued) and outcome.created


def store_new(new: Sequence[NewJob], origin: Origin, waiting_on: Mapping[int, int]) -> list[Outcome]:
    """Store jobs that were found good, as far as there is room for them; `waiting_on` says of some for how many others
    they wait."""
    if not origin.counted or not new or quotas.is_far(origin.org, len(new)):
        return store_all(new, origin, waiting_on)
    with brief():
        quotas.hold(origin.org.pk, quotas.WAITING_JOBS)
        full = quotas.places(new, origin.org, earlier_jobs(origin.org, [one for one in new if one.idempotency_key]))
        good = [place for place, error in enumerate(full) if error is None]
        waits = {index: waiting_on[place] for index, place in enumerate(good) if place in waiting_on}
        stored = dict(zip(good, store_all([new[place] for place in good], origin, waits), strict=True))
    return [error or stored[place] for place, error in enumerate(full)]


def store_all(new: Sequence[NewJob], origin: Origin, waiting_on: Mapping[int, int]) -> list[Outcome]:
    if not new:
        return []
    keep_inputs(new, origin.org)
    ids = uuid7s(len(new))
    rows = described(new, ids, origin.org, origin.user)
    places = give_places(rows, new, origin.org.pk, waiting_on.keys())
    for index, jobs in waiting_on.items():
        rows[index]["waiting_on"] = jobs
    if origin.batch_id:
        rows = [{**row, "batch_id": origin.batch_id} for row in rows]
    stored = store(rows, places, origin)
    fresh = {row[0] for row in stored}
    if len(new) == 1 and stored:
        return [Enqueued(ids[0], True, partial(as_job, new[0], rows[0], origin, stored[0][4]))]
    each = list(zip(new, ids, strict=True))
    left_out = [one for one, job_id in each if job_id not in fresh]
    earlier, closed = earlier_jobs(origin.org, left_out), closed_queues(origin.org, left_out)
    return [Enqueued(job_id, True) if job_id in fresh else kept_out(one, earlier, closed) for one, job_id in each]


# What the statements are told beside the columns of a job.
NO_COLUMNS = {"position", "delay_seconds", "place", "to_classify"}


def as_job(new: NewJob, row: Mapping[str, Any], origin: Origin, alone: str) -> Job:
    """What enqueue_one.sql stored, without reading it back."""
    stored = orjson.loads(alone)
    for name in TIMES:
        stored[name] = stored[name] and datetime.fromisoformat(stored[name])
    known = {name: value for name, value in row.items() if name not in NO_COLUMNS}
    return Job(
        **known | stored | {"payload": new.payload},
        org=origin.org,
        created_by=origin.user,
        correlation_id=origin.correlation_id,
        attempt_limit=row["max_attempts"],
        queued_at=stored["created_at"] if stored["status"] == Status.QUEUED else None,
    )


TIMES = ("created_at", "run_at", "expected_start_at", "expected_start_low_at", "expected_start_high_at")


def store(rows: list[dict[str, Any]], places: list[dict[str, Any]], origin: Origin) -> sql.Tuples:
    """One statement for all of them; returns those that were new, and wakes the workers of their queues."""
    org, user = origin.org, origin.user
    call = {
        "org_id": org.pk,
        "user_id": user.pk if user else None,
        "user_name": user.get_username() if user else "",
        "correlation_id": origin.correlation_id,
        "actor": origin.actor or (f"user:{user.get_username()}" if user else "system"),
        "address": origin.address,
        "counted": origin.counted,
        "unread": any("to_classify" in row for row in rows),
    }
    if len(rows) == 1:
        stored = sql.rows("enqueue_one", job=sent(rows[0] | places[0]), **call)
    else:
        alike = taken_out(rows)
        stored = sql.rows("enqueue", jobs=sent(rows), alike=sent(alike), places=sent(places), **call)
    wake(((row[1], row[2]) for row in stored if row[2] is not None), limited=any(row[3] for row in stored))
    return stored


def sent(value: Any) -> str:
    return orjson.dumps(value).decode()


def earlier_jobs(org: Org, new: Sequence[NewJob]) -> dict[str, tuple[UUID, str]]:
    """By idempotency key: id and fingerprint of the jobs that were there first."""
    if not any(one.idempotency_key for one in new):
        return {}
    found = Job.objects.for_org(org).filter(idempotency_key__in=[one.idempotency_key for one in new])
    return {str(key): (pk, mark) for key, pk, mark in found.values_list("idempotency_key", "pk", "fingerprint")}


def closed_queues(org: Org, new: Sequence[NewJob]) -> frozenset[str]:
    """Those of their queues that take nothing new. One that was opened in between is not there: KeyReused would be said
    of a job without a key, so that one is told of its queue all the same."""
    if not new:
        return frozenset()
    names = {one.queue for one in new}
    found = Queue.objects.for_org(org).filter(name__in=names, closed_at__isnull=False)
    return frozenset(found.values_list("name", flat=True)) | {one.queue for one in new if not one.idempotency_key}


def kept_out(new: NewJob, earlier: dict[str, tuple[UUID, str]], closed: frozenset[str]) -> Enqueued | QueueError:
    """What came of a job that was not stored: it was there before, or its queue is closed."""
    if new.idempotency_key in earlier or new.queue not in closed:
        return repeated(new, earlier)
    return QueueClosed(f"The queue {new.queue} is closed: it takes no new jobs.")


def repeated(new: NewJob, earlier: dict[str, tuple[UUID, str]]) -> Enqueued | QueueError:
    job_id, mark = earlier.get(new.idempotency_key or "", (None, ""))
    # None: the key's day ended between the two statements; the caller may use it again
    return Enqueued(job_id, False) if job_id and mark == fingerprint(new) else KeyReused()


__all__ = [
    "MAX_LENGTHS",
    "QUEUE_NAME",
    "Enqueued",
    "InvalidJob",
    "InvalidPayload",
    "NewJob",
    "canonical",
    "enqueue",
    "enqueue_many",
    "payload_limit_faults",
    "refusal",
]
