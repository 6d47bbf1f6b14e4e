"""Take limited jobs for a worker: as many as their limits have room for, by what runs and by the tokens left.

A limit (jobs/models/limit.py) is of an organisation, queue, type or key. Jobs that one is about wait in an index of
their own (Ready.limit_key), so claims of all others are as without limits.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from jobs.queue import sql
from jobs.queue.claim import Ask, Claimed, claimed, params
from jobs.queue.notify import wake

# How many (type, organisation, key) runs a claim looks at; the next goes on behind them.
RUNS = 300
# After another worker's claim had the limits.
BUSY_SECONDS = 0.01
BEGINNING = (0, "")
ALL_ORGS = 2**63 - 1


@dataclass(slots=True)
class Walk:
    """Where a worker's next claim of limited jobs of one queue goes on, and when it should be."""

    after: tuple[int, str] = BEGINNING
    # After the last claim: None when there is no need to look before something is enqueued or ends.
    again_seconds: float | None = 0.0


def claim_limited(ask: Ask, walk: Walk) -> list[Claimed]:
    """Lease up to `ask.slots` limited jobs whose turn it is, between the others by rank; claim() fills what is left.

    Two statements in one round trip and one commit: the second sees all that earlier claims have taken.
    """
    after_org, after_key = walk.after
    asked = {**params(ask), "after_org": after_org, "after_key": after_key, "last_org": ALL_ORGS}
    asked["runs"] = max(RUNS // len(asked["types"]), 1)
    return taken_on(walk, sql.together(("lock_limits", asked), ("claim_limited", asked)))


def taken_on(walk: Walk, answers: list[sql.Tuples]) -> list[Claimed]:
    """What the two statements of a claim have taken; where the next goes on is noted in the walk."""
    ((busy, *_),), rows = answers
    taken, (walked,) = [row for row in rows if row[0]], [json.loads(row[6]) for row in rows if not row[0]]
    walk.after = tuple(walked["after"]) if walked["after"] else BEGINNING
    if taken or walked["after"]:
        walk.again_seconds = 0.0
    elif busy:
        walk.again_seconds = BUSY_SECONDS
    else:
        walk.again_seconds = walked["wait_seconds"]
    return claimed(taken)


def limited_waiting(*, queues: Sequence[str], types: Sequence[str]) -> bool:
    """Whether limited jobs wait at all, with room or without: one look at an index."""
    ((found,),) = sql.rows("limited_waiting", queues=list(queues), types=list(types))
    return bool(found)


def wake_limited(*, job_ids: Iterable[UUID] = (), org_ids: Iterable[int] = ()) -> None:
    """Limited jobs of these organisations, or these jobs' ones, may start: tell the workers of the queues they are in.

    Their rank says that nothing is new in the order of the others.
    """
    queues = sql.rows("limited_queues", job_ids=list(job_ids), org_ids=list(org_ids))
    wake(((queue, math.inf) for (queue,) in queues), limited=True, many=True)
