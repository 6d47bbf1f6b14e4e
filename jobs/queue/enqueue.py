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
        "rank_offset": ranking.rank_offset(estimate.ms, new.urgency, settings.RANK_TAU_SECONDS)
        - new.head_start_seconds,
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
