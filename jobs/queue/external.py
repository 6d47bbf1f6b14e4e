"""External jobs, for an organisation's own workers: claimed, renewed and ended by the same fences as all others."""

import json
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.conf import settings
from django.db import Error
from django.db.models import Q

from jobs.errors import LeaseLost
from jobs.hiding import hidden_values
from jobs.masking import Mask
from jobs.models import Attempt, Lease, WorkerProcess
from jobs.queue import sql
from jobs.queue.claim import Claimed, claimed
from jobs.queue.finish import Ended, finish
from jobs.queue.leases import Handle
from jobs.queue.limits import BEGINNING, RUNS, Walk, taken_on
from jobs.states import Outcome

log = logging.getLogger(__name__)

TYPE = "external"
WORKERS = UUID("5f0a7c52-6f0e-4f55-9c0f-3f6d5c1f8a11")
# How many times RUNS runs of limited jobs one claim looks through: what waits behind more full keys has to wait.
ROUNDS = 20
# Commands under which a worker is given nothing.
STOPPING = ("quiet", "stop")
# As which end a lease counts as ended when its worker says it once more.
SAME = {
    Outcome.DONE: {Outcome.DONE},
    Outcome.ERROR: {Outcome.ERROR},
    Outcome.RELEASED: {Outcome.RELEASED, Outcome.CANCELLED},
}


class Puller(NamedTuple):
    """A worker of an organisation's own. There it is known by the name that it gives itself."""

    org_id: int
    name: str

    @property
    def id(self) -> UUID:
        return uuid5(WORKERS, f"{self.org_id}/{self.name}")


class Held(NamedTuple):
    """A lease that is there."""

    claimed: Claimed
    cancel_requested: bool
    worker_id: UUID
    worker_name: str


class Extended(NamedTuple):
    """A lease that was renewed: the columns of renew_external.sql in their order."""

    expires_at: datetime
    deadline_at: datetime
    cancel_requested: bool
    worker_id: UUID
    asked: str


# --- Claims ---------------------------------------------------------------------------------------------------------


def pull(puller: Puller, *, queues: Sequence[str], slots: int, lease_seconds: float) -> list[Claimed]:
    """Lease up to `slots` jobs of the organisation: of the first queue while it has some, then of the next."""
    taken: list[Claimed] = []
    # one look for all: most calls of a worker that waits find nothing
    places = waiting([puller.org_id] * len(queues), queues)
    for queue in [queues[place] for place in places]:
        for take in (pull_limited, pull_others):
            if len(taken) < slots:
                taken += take(asked_for(puller, queue, slots - len(taken), lease_seconds))
    return taken


def waiting(org_ids: Sequence[int], queues: Sequence[str]) -> list[int]:
    """Which of these (organisation, queue) pairs may have something, by their places from 0 on."""
    rows = sql.rows("waiting_external", org_ids=list(org_ids), queues=list(queues))
    return sorted(place - 1 for (place,) in rows)


def asked_for(puller: Puller, queue: str, slots: int, lease_seconds: float) -> dict[str, Any]:
    return {
        "org_id": puller.org_id,
        "queue": queue,
        "types": [TYPE],
        "slots": slots,
        "worker_id": puller.id,
        "worker_name": puller.name,
        "lease_seconds": float(lease_seconds),
        "secret": secrets.token_hex(16),
    }


def pull_others(asked: dict[str, Any]) -> list[Claimed]:
    """Those that no limit is about."""
    return claimed(sql.rows("claim_external", **asked))


def pull_limited(asked: dict[str, Any]) -> list[Claimed]:
    """Those whose limits have room, between the others by rank."""
    ((waiting,),) = sql.rows("limited_external", queue=asked["queue"], org_id=asked["org_id"])
    # from the end of the organisation before: no key sorts before the empty one
    walk = Walk(after=(asked["org_id"] - 1, ""))
    for _ in range(ROUNDS if waiting else 0):
        after_org, after_key = walk.after
        span = {"after_org": after_org, "after_key": after_key, "last_org": asked["org_id"], "runs": RUNS}
        params = {**asked, **span}
        taken = taken_on(walk, sql.together(("lock_external_limits", params), ("claim_external_limited", params)))
        if taken or walk.after == BEGINNING:
            return taken
    return []


def times_of(taken: Sequence[Claimed]) -> dict[UUID, Lease]:
    """Until when these leases hold, by their jobs."""
    tokens = [one.token for one in taken]
    leases = Lease.objects.filter(job_id__in=[one.job_id for one in taken], token__in=tokens)
    return {lease.job_id: lease for lease in leases.only("job_id", "expires_at", "deadline_at")}


# --- Leases ---------------------------------------------------------------------------------------------------------


def held(handle: Handle) -> Held | None:
    """The lease, if it is still held."""
    asked = {"job_id": handle.job_id, "token": handle.token, "attempt": handle.attempt}
    rows = sql.rows("held_external", **asked)
    return Held(claimed(rows)[0], *rows[0][16:]) if rows else None


def extend(handle: Handle, lease_seconds: float) -> Extended:
    """Renew a lease, no further than the job's time reaches. Raises LeaseLost."""
    rows = sql.rows(
        "renew_external",
        job_id=handle.job_id,
        token=handle.token,
        attempt=handle.attempt,
        lease_seconds=float(lease_seconds),
    )
    if not rows:
        raise LeaseLost(handle.job_id)
    extended = Extended(*rows[0])
    seen_alive([extended.worker_id])
    return extended


def end(handle: Handle, outcome: Outcome, **fields: Any) -> bool:
    """End the attempt; False when this lease had ended so before, and nothing was written. Raises LeaseLost.

    One that a person asked to stop, and that is given back, has been stopped.
    """
    lease = held(handle)
    if lease is not None:
        ending = Outcome.CANCELLED if outcome is Outcome.RELEASED and lease.cancel_requested else outcome
        hidden = mask_of(lease.claimed)
        shown = {name: hidden.json(value) for name, value in fields.items()} if hidden else fields
        if finish([Ended(lease.claimed, ending, **shown)], worker_name=lease.worker_name):
            seen_alive([lease.worker_id], jobs=1)
            return True
    known = Attempt.objects.filter(org_id=handle.org_id, job_id=handle.job_id, number=handle.attempt)
    if known.filter(outcome__in=SAME[outcome]).exists():
        return False
    note_late(handle)
    raise LeaseLost(handle.job_id)


def mask_of(claimed: Claimed) -> Mask | None:
    """Over what its payload has under telling names, in whatever its worker says of it."""
    values = hidden_values(claimed.payload)
    return Mask(values) if values else None


def note_late(handle: Handle) -> None:
    """No more than a mark at the attempt: it must not hold anything up."""
    try:
        sql.run("note_fenced", job_ids=[handle.job_id], numbers=[handle.attempt])
    except Error:
        log.exception("a fenced attempt was not noted")


# --- The pool -------------------------------------------------------------------------------------------------------


def beat(puller: Puller, *, queues: Sequence[str], slots: int, version: str) -> None:
    """It asks for jobs: it is online."""
    sql.run(
        "beat_external",
        id=puller.id,
        org_id=puller.org_id,
        worker_name=puller.name,
        version=version[:32],
        slots=slots,
        queues=json.dumps(list(queues)),
        beat_seconds=settings.HEARTBEAT_SECONDS,
    )


def depart(puller: Puller, *, draining: bool) -> None:
    """It takes no more, and a call of its own that still waits gets nothing."""
    status = WorkerProcess.DRAINING if draining else WorkerProcess.OFFLINE
    sql.run("depart_external", id=puller.id, status=status)


def told(puller: Puller) -> str:
    """Which command stands for a worker that calls: "quiet", "stop", or "" when it may go on. It is noted that it
    knows."""
    rows = sql.rows("told_external", id=puller.id)
    asked = rows[0][0] if rows else ""
    return asked if asked in STOPPING else ""


def takes_no_more(puller: Puller) -> bool:
    """It has departed, or was told to take no more."""
    gone = Q(status__in=[WorkerProcess.DRAINING, WorkerProcess.OFFLINE]) | Q(asked__in=STOPPING)
    return WorkerProcess.objects.filter(gone, pk=puller.id).exists()


def seen_alive(worker_ids: Sequence[UUID], jobs: int = 0) -> None:
    """They have given a sign of life, and ended so many jobs."""
    sql.run("alive_external", ids=list(worker_ids), jobs=jobs, beat_seconds=settings.HEARTBEAT_SECONDS)
