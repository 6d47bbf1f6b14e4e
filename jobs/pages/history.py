"""What has happened to a job so far: its moves, and its attempts with the ends of their logs."""

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from jobs.models import Attempt, Job, Lease, Transition
from jobs.queue import sql
from orgs.removed_names import without_actors

STEPS_SHOWN = 100
TRIES_SHOWN = 20
LINES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A move, and how long the job had been in the status before it."""

    to_status: str
    attempt: int
    actor: str
    reason: str
    at: datetime
    after_seconds: float | None


def steps(job: Job) -> list[Step]:
    """The newest moves, in the order they happened."""
    newest = without_actors(Transition.objects.filter(job_id=job.pk).order_by("-id")[:STEPS_SHOWN], "actor")
    found: list[Step] = []
    for move in reversed(newest):
        waited = (move.at - found[-1].at).total_seconds() if found else None
        found.append(Step(move.to_status, move.attempt, move.actor, move.reason, move.at, waited))
    return found


@dataclass(frozen=True, slots=True)
class Line:
    sequence: int
    stream: str
    text: str
    at: datetime


@dataclass(slots=True)
class Try:
    """An attempt, ended or under way; `outcome` is "running" for the latter."""

    number: int
    outcome: str
    worker_name: str
    started_at: datetime
    ended_at: datetime | None
    runtime_ms: float
    predicted_ms: float
    error_type: str = ""
    error: str = ""
    # Its worker, which had lost the lease, came with an end then and was refused.
    fenced_at: datetime | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def tone(self) -> str:
        """The status whose colour it has."""
        tones = {"done": "done", "running": "running", "cancelled": "cancelled", "released": "cancelled"}
        return tones.get(self.outcome, "failed")

    @property
    def cut(self) -> bool:
        """Whether the log began before the first line shown."""
        return bool(self.lines) and self.lines[0].sequence > 1

    @property
    def share(self) -> float:
        """Actual over predicted."""
        return self.runtime_ms / self.predicted_ms if self.predicted_ms else 0.0


def tries(job: Job, lease: Lease | None) -> list[Try]:
    """Newest first, with the last lines of each."""
    found = [under_way(lease)] if lease else []
    over = Attempt.objects.filter(job_id=job.pk).order_by("-number")[:TRIES_SHOWN] if job.attempt else []
    # it may have ended between the two questions
    found += [ended(attempt) for attempt in over if lease is None or attempt.number != lease.attempt]
    by_number = {one.number: one for one in found}
    rows = sql.run("log_tails", job_id=job.pk, attempts=list(by_number), lines=LINES_SHOWN) if found else []
    for row in rows:
        by_number[row.attempt].lines.append(Line(row.sequence, row.stream, row.text, row.at))
    return found


def under_way(lease: Lease) -> Try:
    passed = (timezone.now() - lease.leased_at).total_seconds() * 1000
    return Try(lease.attempt, "running", lease.worker_name, lease.leased_at, None, passed, lease.predicted_ms)


def ended(attempt: Attempt) -> Try:
    return Try(
        number=attempt.number,
        outcome=attempt.outcome,
        worker_name=attempt.worker_name,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        runtime_ms=attempt.runtime_ms,
        predicted_ms=attempt.predicted_ms,
        error_type=attempt.error_type,
        error=attempt.error,
        fenced_at=attempt.fenced_at,
    )
