"""What enqueue.sql and enqueue_one.sql are told of new jobs, each estimated."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from jobs import ranking, retries
from jobs.estimates import Asked, Estimate, estimate_many
from jobs.queue.new_job import NewJob, fingerprint
from jobs.strict_json import written
from orgs.models import Org, User


def described(new: Sequence[NewJob], ids: Sequence[UUID], org: Org, user: User | None) -> list[dict[str, Any]]:
    """A row a job, estimated."""
    # checked by refusal()
    payloads = [written(one.payload) for one in new]
    sizes = [len(payload.encode()) for payload in payloads]
    names = [one.name or default_name(one) for one in new]
    asked = [asked_of(one, name, size) for one, name, size in zip(new, names, sizes, strict=True)]
    estimates = estimate_many(org, asked, user=user)
    timeout_seconds = settings.JOB_TIMEOUT_SECONDS
    each = zip(new, ids, payloads, asked, estimates, strict=True)
    return [row(timeout_seconds, position, *parts) for position, parts in enumerate(each)]


def asked_of(new: NewJob, name: str, payload_bytes: int) -> Asked:
    """What the predictor is told of a job: a timeout other than the usual says what its submitter expects."""
    expected = new.timeout_seconds if new.timeout_seconds != settings.JOB_TIMEOUT_SECONDS else None
    return Asked(new.type, name, payload_bytes, expected and expected * 1000.0)


OPTIONAL = ("title", "description", "category", "limit_key", "run_at", "idempotency_key", "retry", "to_classify")


def default_name(new: NewJob) -> str:
    """Jobs without a name are told apart by their task, where they have one, else by their type."""
    return str(new.payload.get("task", new.type))[:64]


def row(
    timeout_seconds: int, position: int, new: NewJob, job_id: UUID, payload: str, asked: Asked, estimate: Estimate
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
        "urgency": new.first_urgency,
        "predicted_ms": estimate.ms,
        "predicted_low_ms": estimate.low_ms,
        "predicted_high_ms": estimate.high_ms,
        "failure_probability": estimate.failure_probability,
        "prediction_source": estimate.source,
        "model_version": estimate.model_version,
        "priority": ranking.priority(estimate.ms),
        "timeout_seconds": new.timeout_seconds or timeout_seconds,
        "max_attempts": new.max_attempts or retries.max_attempts(new.type),
    }
    for name in OPTIONAL:
        if value := getattr(new, name):
            described[name] = value
    if new.tags:
        described["tags"] = list(dict.fromkeys(new.tags))
    if new.delay_seconds is not None:
        described["delay_seconds"] = new.delay_seconds
    if new.idempotency_key is not None:
        described["fingerprint"] = fingerprint(new)
    return described
