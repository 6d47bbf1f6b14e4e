"""Accept jobs: check, estimate, rank, store and wake a worker. The row and its place in the queue are one commit."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone

from jobs import ranking
from jobs.errors import InvalidJob, InvalidPayload, KeyReused, QueueError
from jobs.estimates import Asked, Estimate, estimate_many
from jobs.handlers import registry
from jobs.ids import uuid7, uuid7s
from jobs.models import Job
from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.strict_json import UNSTORABLE, NotStrict, dumps
from orgs.models import Org, User
from orgs.roles import Role

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MAX_LENGTHS = {"name": 64, "title": 200, "description": 10_000, "idempotency_key": 255, "limit_key": 64}


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
    # Jobs of one key share the limits that the organisation has set for it.
    limit_key: str = ""


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
        asked = [new[index] for index in good]
        ids = uuid7s(len(asked))
        fresh = store(described(asked, ids, org, user), org, user, correlation_id)
        earlier = earlier_jobs(org, [one for one, job_id in zip(asked, ids, strict=True) if job_id not in fresh])
        for index, job_id in zip(good, ids, strict=True):
            outcomes[index] = Enqueued(job_id, True) if job_id in fresh else repeated(new[index], earlier)
    return [outcome for outcome in outcomes if outcome is not None]


def store(rows: list[dict[str, Any]], org: Org, user: User | None, correlation_id: str) -> set[UUID]:
    """One statement for all of them; returns which were new, and wakes the workers of their queues."""
    stored = sql.rows(
        "enqueue",
        jobs=orjson.dumps(rows).decode(),
        org_id=org.pk,
        user_id=user.pk if user else None,
        correlation_id=correlation_id or uuid7().hex,
        actor=f"user:{user.get_username()}" if user else "system",
    )
    wake((queue, rank) for _, queue, rank in stored if rank is not None)
    return {job_id for job_id, _, _ in stored}


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
    try:
        size = len(dumps(payload).encode())
    except NotStrict as error:
        return [("/payload", f"Not JSON: {error}.")]
    return [("/payload", f"{size} bytes of JSON; at most {limit} are allowed.")] if size > limit else []


def canonical(value: Any) -> bytes:
    """The one way a JSON value is written here, for its size and its fingerprint."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def described(new: Sequence[NewJob], ids: Sequence[UUID], org: Org, user: User | None) -> list[dict[str, Any]]:
    """The rows of enqueue.sql, estimated and ranked."""
    payloads = [dumps(one.payload) for one in new]
    sizes = [len(payload.encode()) for payload in payloads]
    names = [one.name or default_name(one) for one in new]
    asked = [Asked(one.type, name, size) for one, name, size in zip(new, names, sizes, strict=True)]
    estimates = estimate_many(org, asked, user=user.get_username() if user else "")
    each = zip(new, ids, payloads, asked, estimates, strict=True)
    return [row(position, *parts) for position, parts in enumerate(each)]


OPTIONAL = ("title", "description", "category", "limit_key", "run_at", "idempotency_key")


def default_name(new: NewJob) -> str:
    """Jobs without a name are told apart by their task, where they have one, else by their type."""
    return str(new.payload.get("task", new.type))[:64]


def row(
    position: int, new: NewJob, job_id: UUID, payload: str, asked: Asked, estimate: Estimate
) -> dict[str, Any]:
    """What enqueue.sql takes for what the caller said nothing about need not be sent."""
    described = {
        "id": job_id,
        "position": position,
        "queue": new.queue,
        "type": new.type,
        "name": asked.name,
        "payload": orjson.Fragment(payload),
        "payload_bytes": asked.payload_bytes,
        "urgency": new.urgency,
        "predicted_ms": estimate.ms,
        "prediction_source": estimate.source,
        "priority": ranking.priority(estimate.ms),
        "rank_offset": ranking.rank_offset(estimate.ms, new.urgency, settings.RANK_TAU_SECONDS),
        "timeout_seconds": new.timeout_seconds or settings.JOB_TIMEOUT_SECONDS,
        "max_attempts": new.max_attempts or settings.RETRIES + 1,
    }
    if estimate.source == "model":
        described["predicted_low_ms"] = estimate.low_ms
        described["predicted_high_ms"] = estimate.high_ms
        described["model_version"] = estimate.model_version
    for name in OPTIONAL:
        if value := getattr(new, name):
            described[name] = value
    if new.delay_seconds is not None:
        described["delay_seconds"] = new.delay_seconds
    if new.idempotency_key is not None:
        described["fingerprint"] = fingerprint(new)
    return described


def fingerprint(new: NewJob) -> str:
    """What must be alike for a repeat to be a repeat: everything the caller asked for."""
    asked = {name: getattr(new, name) for name in NewJob.__dataclass_fields__ if name != "idempotency_key"}
    asked["run_at"] = new.run_at.isoformat() if new.run_at else None
    if not new.limit_key:
        del asked["limit_key"]
    return hashlib.sha256(canonical(asked)).hexdigest()


def earlier_jobs(org: Org, new: Sequence[NewJob]) -> dict[str, tuple[UUID, str]]:
    """By idempotency key: id and fingerprint of the jobs that were there first."""
    if not new:
        return {}
    found = Job.objects.for_org(org).filter(idempotency_key__in=[one.idempotency_key for one in new])
    return {str(key): (pk, mark) for key, pk, mark in found.values_list("idempotency_key", "pk", "fingerprint")}


def repeated(new: NewJob, earlier: dict[str, tuple[UUID, str]]) -> Enqueued | QueueError:
    job_id, mark = earlier.get(new.idempotency_key or "", (None, ""))
    # None: the key's day ended between the two statements; the caller may use it again
    return Enqueued(job_id, False) if job_id and mark == fingerprint(new) else KeyReused()


__all__ = ["Enqueued", "InvalidJob", "InvalidPayload", "NewJob", "enqueue", "enqueue_many"]
