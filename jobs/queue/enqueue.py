"""Accept jobs: check, estimate, rank, store and wake a worker. The row and its place in the queue are one commit."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from jobs import ranking
from jobs.errors import InvalidJob, InvalidPayload, KeyReused, QueueError
from jobs.estimates import Asked, Estimate, estimate_many
from jobs.handlers import registry
from jobs.ids import uuid7
from jobs.models import Job
from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.strict_json import UNSTORABLE
from orgs.models import Org, User
from orgs.roles import Role

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MAX_LENGTHS = {"name": 64, "title": 200, "description": 10_000, "idempotency_key": 255}


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a caller asks for. Durations are in seconds; None means the deployment's default."""

    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    queue: str = "default"
    title: str = ""
    description: str = ""
    urgency: str = "medium"
    category: str = ""
    run_at: datetime | None = None
    delay_seconds: float | None = None
    timeout_seconds: int | None = None
    max_attempts: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Where the job is; `created` is False when the idempotency key had already brought it."""

    job_id: UUID
    created: bool


def enqueue(
    new: NewJob, *, org: Org, user: User | None, role: str = Role.ORG_ADMIN, correlation_id: str = ""
) -> Enqueued:
    """Store one job. Raises InvalidJob, InvalidPayload, UnknownJobType, KeyReused; then nothing was stored."""
    (outcome,) = enqueue_many([new], org=org, user=user, role=role, correlation_id=correlation_id)
    if isinstance(outcome, QueueError):
        raise outcome
    return outcome


def enqueue_many(
    new: Sequence[NewJob], *, org: Org, user: User | None, role: str = Role.ORG_ADMIN, correlation_id: str = ""
) -> list[Enqueued | QueueError]:
    """Store many jobs with one statement; each has its own outcome, in the order given. `role` sets the caps."""
    outcomes: list[Enqueued | QueueError | None] = [refusal(one, org, role) for one in new]
    good = [index for index, outcome in enumerate(outcomes) if outcome is None]
    if good:
        rows = described([new[index] for index in good], org, user)
        stored = sql.run(
            "enqueue",
            jobs=json.dumps(rows),
            org_id=org.pk,
            user_id=user.pk if user else None,
            correlation_id=correlation_id or uuid7().hex,
            actor=f"user:{user.get_username()}" if user else "system",
        )
        wake(row.queue for row in stored if row.status == "queued")
        fresh = {row.id for row in stored}
        earlier = earlier_jobs(org, [row for row in rows if UUID(row["id"]) not in fresh])
        for index, row in zip(good, rows, strict=True):
            created = UUID(row["id"]) in fresh
            outcomes[index] = Enqueued(UUID(row["id"]), True) if created else repeated(row, earlier)
    return [outcome for outcome in outcomes if outcome is not None]


def refusal(new: NewJob, org: Org, role: str = Role.ORG_ADMIN) -> QueueError | None:
    """Why this job cannot be accepted of somebody with this role, or None."""
    try:
        handler = registry.get(new.type)
        if errors := list(faults(new, role)):
            return InvalidJob(errors)
        handler.check(new.payload, {"shell_programs": org.shell_programs})
    except QueueError as error:
        return error
    return None


def faults(new: NewJob, role: str) -> list[tuple[str, str]]:
    """What is wrong with the fields that all types share: (JSON pointer, sentence)."""
    found = []
    for name, limit in MAX_LENGTHS.items():
        text = getattr(new, name)
        if text is not None and (len(text) > limit or UNSTORABLE.search(text)):
            found.append((f"/{name}", f"At most {limit} characters, none of them NUL."))
    if new.idempotency_key == "":
        found.append(("/idempotency_key", "May not be empty."))
    if not QUEUE_NAME.fullmatch(new.queue):
        found.append(("/queue", "1 to 40 lower-case letters, digits, dashes or underscores."))
    if new.urgency not in ranking.URGENCY_FACTOR:
        found.append(("/urgency", "One of high, medium, low."))
    if new.category and new.category not in settings.JOB_CATEGORIES:
        found.append(("/category", f"One of {', '.join(settings.JOB_CATEGORIES)}."))
    timeout_cap, attempts_cap = caps(role)
    found += bounds("timeout_seconds", new.timeout_seconds, 1, timeout_cap)
    found += bounds("max_attempts", new.max_attempts, 1, attempts_cap)
    return found + due_faults(new) + payload_limit_faults(new.payload)


def caps(role: str) -> tuple[int, int]:
    """The longest timeout in seconds and the most attempts that this role may ask for."""
    if role == Role.ORG_ADMIN:
        return settings.JOB_TIMEOUT_CAP_SECONDS, settings.MAX_ATTEMPTS_CAP
    return (
        min(settings.OPERATOR_TIMEOUT_CAP_SECONDS, settings.JOB_TIMEOUT_CAP_SECONDS),
        min(settings.OPERATOR_MAX_ATTEMPTS_CAP, settings.MAX_ATTEMPTS_CAP),
    )


def bounds(name: str, value: float | None, low: float, high: float) -> list[tuple[str, str]]:
    if value is None or low <= value <= high:
        return []
    return [(f"/{name}", f"From {low:g} to {high:g}.")]


def due_faults(new: NewJob) -> list[tuple[str, str]]:
    if new.run_at is not None and new.delay_seconds is not None:
        return [("/delay_seconds", "Give run_at or delay_seconds, not both.")]
    limit = timedelta(days=settings.MAX_DELAY_DAYS)
    if new.run_at is not None and timezone.is_naive(new.run_at):
        return [("/run_at", "Give a time zone.")]
    # The host's clock only bounds what is accepted; whether the job is due is the database's to say.
    if new.run_at is not None and not -limit <= new.run_at - timezone.now() <= limit:
        return [("/run_at", f"Within {settings.MAX_DELAY_DAYS} days of now.")]
    return bounds("delay_seconds", new.delay_seconds, 0, limit.total_seconds())


def payload_limit_faults(payload: dict[str, Any]) -> list[tuple[str, str]]:
    limit = settings.PAYLOAD_MAX_BYTES
    size = len(canonical(payload))
    return [("/payload", f"{size} bytes of JSON; at most {limit} are allowed.")] if size > limit else []


def canonical(value: Any) -> bytes:
    """The one way a JSON value is written here, for its size and its fingerprint."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def described(new: Sequence[NewJob], org: Org, user: User | None) -> list[dict[str, Any]]:
    """The rows of enqueue.sql, estimated and ranked."""
    sizes = [len(canonical(one.payload)) for one in new]
    names = [one.name or default_name(one) for one in new]
    asked = [Asked(one.type, name, size) for one, name, size in zip(new, names, sizes, strict=True)]
    estimates = estimate_many(org, asked, user=user.get_username() if user else "")
    return [
        row(one, name, size, estimate, position)
        for position, (one, name, size, estimate) in enumerate(zip(new, names, sizes, estimates, strict=True))
    ]


def default_name(new: NewJob) -> str:
    """Jobs without a name are told apart by their task, where they have one, else by their type."""
    return str(new.payload.get("task", new.type))[:64]


def row(new: NewJob, name: str, size: int, estimate: Estimate, position: int) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "position": position,
        "queue": new.queue,
        "type": new.type,
        "name": name,
        "title": new.title,
        "description": new.description,
        "payload": new.payload,
        "payload_bytes": size,
        "urgency": new.urgency,
        "category": new.category,
        "predicted_ms": estimate.ms,
        "predicted_low_ms": estimate.low_ms,
        "predicted_high_ms": estimate.high_ms,
        "prediction_source": estimate.source,
        "model_version": estimate.model_version,
        "priority": ranking.priority(estimate.ms),
        "rank_offset": ranking.rank_offset(estimate.ms, new.urgency, settings.RANK_TAU_SECONDS),
        "run_at": new.run_at.isoformat() if new.run_at else None,
        "delay_seconds": new.delay_seconds,
        "timeout_seconds": new.timeout_seconds or settings.JOB_TIMEOUT_SECONDS,
        "max_attempts": new.max_attempts or settings.RETRIES + 1,
        "idempotency_key": new.idempotency_key,
        "fingerprint": fingerprint(new) if new.idempotency_key else "",
    }


def fingerprint(new: NewJob) -> str:
    """What must be alike for a repeat to be a repeat: everything the caller asked for."""
    asked = {name: getattr(new, name) for name in NewJob.__dataclass_fields__ if name != "idempotency_key"}
    asked["run_at"] = new.run_at.isoformat() if new.run_at else None
    return hashlib.sha256(canonical(asked)).hexdigest()


def earlier_jobs(org: Org, rows: list[dict[str, Any]]) -> dict[str, tuple[UUID, str]]:
    """By idempotency key: id and fingerprint of the jobs that were there first."""
    if not rows:
        return {}
    found = Job.objects.for_org(org).filter(idempotency_key__in=[row["idempotency_key"] for row in rows])
    return {str(key): (pk, mark) for key, pk, mark in found.values_list("idempotency_key", "pk", "fingerprint")}


def repeated(row: dict[str, Any], earlier: dict[str, tuple[UUID, str]]) -> Enqueued | QueueError:
    job_id, mark = earlier.get(row["idempotency_key"], (None, ""))
    # None: the key's day ended between the two statements; the caller may use it again
    return Enqueued(job_id, False) if job_id and mark == row["fingerprint"] else KeyReused()


__all__ = ["Enqueued", "InvalidJob", "InvalidPayload", "NewJob", "enqueue", "enqueue_many"]
