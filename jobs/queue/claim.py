"""Take queued jobs for a worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.queue import sql


@dataclass(frozen=True, slots=True)
class Claimed:
    """One job in a worker's hands: what its handler needs, and the token that every later write must carry."""

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
    shell_programs: Sequence[str]

    @property
    def failures(self) -> int:
        """How many tries of this life will have failed if this one does; releases do not count."""
        return self.attempt - (self.attempt_limit - self.max_attempts)


def claim(*, queue: str, types: Sequence[str], slots: int, worker_id: UUID, worker_name: str) -> list[Claimed]:
    """Lease up to `slots` jobs of one queue, lowest rank first. Never the same job for two callers."""
    rows = sql.run(
        "claim",
        queue=queue,
        types=sorted(set(types)),
        slots=slots,
        worker_id=worker_id,
        worker_name=worker_name,
        actor=f"worker:{worker_name}",
        lease_seconds=settings.LEASE_SECONDS,
    )
    return [Claimed(**row) for row in rows]


def busy_queues() -> list[str]:
    """The queues of any organisation in which something waits."""
    return [row.queue for row in sql.run("busy_queues")]


def waiting(*, queues: Sequence[str], types: Sequence[str]) -> bool:
    """Whether there is something to claim, be it under the lock of another claim at this moment."""
    return bool(sql.run("waiting", queues=list(queues), types=list(types))[0].waiting)
