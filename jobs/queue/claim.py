"""Take queued jobs for a worker."""

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from jobs.queue import sql
from jobs.references import START

ANYWHERE = float("-inf")
# What PostgreSQL writes has no blanks around it that json.loads() would look for.
read = json.JSONDecoder().raw_decode


class Claimed(NamedTuple):
    """One job in a worker's hands: what its handler needs, and the token that every later write must carry.

    The fields are the columns of claim.sql in their order, and what is seen in them.
    """

    job_id: UUID
    attempt: int
    token: UUID
    queue: str
    type: str
    name: str
    payload: Mapping[str, Any]
    correlation_id: str
    timeout_seconds: int
    max_attempts: int
    attempt_limit: int
    org: str
    org_id: int
    org_settings: Mapping[str, Any]
    rank: float
    # How it wants to be tried again, where it says so itself.
    retry: Mapping[str, Any] | None = None
    # Its payload may name secrets, which only its attempt looks up.
    has_references: bool = False

    @property
    def failures(self) -> int:
        """How many tries of this life will have failed if this one does; releases do not count."""
        return self.attempt - (self.attempt_limit - self.max_attempts)


class Ask(NamedTuple):
    """Whose claim it is, of what, and from which rank on (by type; anywhere when it is not there).

    `spans`, (lowest, highest), are looked through too where they are below that rank.
    """

    queue: str
    types: Sequence[str]
    slots: int
    worker_id: UUID
    worker_name: str
    floors: Mapping[str, float] = {}
    spans: Sequence[tuple[float, float]] = ()


def claim(
    *,
    queue: str,
    types: Sequence[str],
    slots: int,
    worker_id: UUID,
    worker_name: str,
    floors: Mapping[str, float] | None = None,
    spans: Sequence[tuple[float, float]] = (),
) -> list[Claimed]:
    """Lease up to `slots` jobs of one queue, lowest rank first. Never the same job for two callers."""
    ask = Ask(queue, types, slots, worker_id, worker_name, floors or {}, spans)
    return claimed(sql.rows("claim", **params(ask)))


def params(ask: Ask) -> dict[str, Any]:
    types = sorted(set(ask.types))
    looks = [look for type in types for look in looks_for(type, ask)]
    return {
        "queue": ask.queue,
        "types": types,
        "span_types": [type for type, _, _ in looks],
        "floors": [floor for _, floor, _ in looks],
        "ceilings": [ceiling for _, _, ceiling in looks],
        "slots": ask.slots,
        "worker_id": ask.worker_id,
        "worker_name": ask.worker_name,
        "lease_seconds": float(settings.LEASE_SECONDS),
        "secret": secrets.token_hex(16),
    }


def looks_for(type: str, ask: Ask) -> list[tuple[str, float, float]]:
    """(type, lowest, highest rank) of each span to look through, none twice."""
    floor = ask.floors.get(type, ANYWHERE)
    # one may reach over the floor, which another notification has lowered since
    end = math.nextafter(floor, -math.inf)
    below = [(type, low, min(high, end)) for low, high in ask.spans if low < floor]
    return [*below, (type, floor, math.inf)]


def claimed(rows: sql.Tuples) -> list[Claimed]:
    """In order of rank."""
    found = [
        Claimed(  # type: ignore[call-arg]
            *row[:6],
            read(row[6])[0],
            *row[7:13],
            settings_of(row[13]),
            row[14],
            row[15] and json.loads(row[15]),
            START in row[6],
        )
        for row in rows
    ]
    found.sort(key=attrgetter("rank"))
    return found


@lru_cache(maxsize=1000)
def settings_of(text: str) -> Mapping[str, Any]:
    """An organisation's settings, as its jobs bring them along: the same for all of them, so nobody may change them."""
    return MappingProxyType(json.loads(text))


def busy_queues() -> list[str]:
    """The queues of any organisation in which something waits."""
    return [queue for (queue,) in sql.rows("busy_queues")]


def waiting(*, queues: Sequence[str], types: Sequence[str]) -> bool:
    """Whether there is something to claim, be it under the lock of another claim at this moment."""
    return bool(sql.run("waiting", queues=list(queues), types=list(types))[0].waiting)
