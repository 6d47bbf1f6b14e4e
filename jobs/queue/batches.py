"""Batches: jobs enqueued together, all or none, counted as they end, with a callback when they have."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import BatchRefused, InvalidJob, JobNotFound, QueueError
from jobs.ids import uuid7
from jobs.models import Batch, Job, Lease
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.callbacks import follow_soon
from jobs.queue.enqueue import Enqueued, NewJob, Origin, accept, refusal
from jobs.queue.notify import command
from jobs.states import Status
from orgs import audit
from orgs.models import Org, User
from orgs.roles import Action, Role
from orgs.scope import Scope

CANCEL_BATCH = 1_000
# Passes over a batch: a job may move (be claimed, promoted) between the look at it and its cancelling.
CANCEL_PASSES = 5
NOT_IN_A_BATCH = ("idempotency_key",)
NOT_FOR_A_CALLBACK = ("idempotency_key", "run_at", "after", "after_end", "ref")


@dataclass(frozen=True, slots=True)
class Callback:
    """A job that is enqueued once: when all jobs of the batch are done ("success"), or have ended ("end")."""

    job: NewJob
    when: str = Batch.END


@dataclass(frozen=True, slots=True)
class EnqueuedBatch:
    """A batch, and its jobs in the order given."""

    batch_id: UUID
    job_ids: list[UUID]


def enqueue_batch(
    jobs: Sequence[NewJob],
    *,
    org: Org,
    user: User | None,
    callback: Callback | None = None,
    name: str = "",
    role: str = Role.ORG_ADMIN,
    correlation_id: str = "",
    address: str | None = None,
) -> EnqueuedBatch:
    """Store the jobs and their batch in one transaction. Raises BatchRefused, saying of each job what is wrong."""
    refused = [unfit(one, NOT_IN_A_BATCH) or refusal(one, org, role) for one in jobs]
    check(jobs, refused, callback, org, role, name)
    origin = Origin(org, user, correlation_id or uuid7().hex, batch_id=uuid7(), address=address)
    with transaction.atomic():
        Batch.objects.create(
            pk=origin.batch_id,
            org=org,
            name=name,
            total=len(jobs),
            correlation_id=origin.correlation_id,
            created_by=user,
            created_at=Now(),
            callback=asked_for(callback.job) if callback else None,
            callback_when=callback.when if callback else "",
        )
        outcomes = accept(jobs, refused, origin)
        ids = [outcome.job_id for outcome in outcomes if isinstance(outcome, Enqueued)]
        if len(ids) < len(jobs):
            raise BatchRefused(faulty(outcomes))
    assert origin.batch_id
    return EnqueuedBatch(origin.batch_id, ids)


def check(
    jobs: Sequence[NewJob],
    refused: Sequence[QueueError | None],
    callback: Callback | None,
    org: Org,
    role: str,
    name: str,
) -> None:
    faults = faulty(refused)
    if callback and (error := unfit(callback.job, NOT_FOR_A_CALLBACK) or refusal(callback.job, org, role)):
        faults.append(("/callback/job", error))
    if callback and callback.when not in (Batch.SUCCESS, Batch.END):
        faults.append(("/callback", InvalidJob([("/when", "One of success, end.")])))
    if not jobs:
        faults.append(("", InvalidJob([("/jobs", "At least one.")])))
    if len(name) > 64 or "\0" in name:
        faults.append(("", InvalidJob([("/name", "At most 64 characters, none of them NUL.")])))
    if faults:
        raise BatchRefused(faults)


def faulty(outcomes: Sequence[Enqueued | QueueError | None]) -> list[tuple[str, QueueError]]:
    """(JSON pointer, what is wrong) of the jobs that were refused."""
    each = enumerate(outcomes)
    return [(f"/jobs/{index}", outcome) for index, outcome in each if isinstance(outcome, QueueError)]


def unfit(new: NewJob, names: Sequence[str]) -> InvalidJob | None:
    found = [(f"/{name}", "Not here.") for name in names if getattr(new, name)]
    return InvalidJob(found) if found else None


def asked_for(new: NewJob) -> dict[str, Any]:
    """A NewJob as JSON: what differs from what is usual."""
    usual = {field.name: field.default for field in fields(NewJob)}
    return {name: value for name, value in asdict(new).items() if name == "payload" or value != usual[name]}


def cancel_batch(
    batch_id: UUID, *, scope: Scope, request: HttpRequest | None = None, reason: str = ""
) -> dict[str, int]:
    """Cancel what has not ended, a bounded number at a time; running jobs are asked to stop.

    Returns how many were "cancelled" and how many are "cancelling". Raises JobNotFound.
    """
    scope.require(Action.CANCEL)
    if not Batch.objects.for_org(scope.org).filter(pk=batch_id).exists():
        raise JobNotFound("There is no such batch.")
    became = {"cancelled": 0, "cancelling": 0}
    for _ in range(CANCEL_PASSES):
        passed = 0
        for job_ids in unended(batch_id):
            passed += cancel_some(job_ids, scope, reason, became)
        if not passed:
            break
    audit.record(
        "batch.cancel", org=scope.org, actor=scope.user, target=batch_id, request=request, reason=reason, **became
    )
    return became


def unended(batch_id: UUID) -> Iterator[list[UUID]]:
    """The jobs of a batch that have not ended and were not asked to."""
    last = UUID(int=0)
    asked = Lease.objects.filter(cancel_requested=True).values("job_id")
    waiting = Job.objects.filter(batch_id=batch_id, status__in=[Status.SCHEDULED, Status.QUEUED]).exclude(pk__in=asked)
    while job_ids := list(waiting.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CANCEL_BATCH]):
        yield job_ids
        last = job_ids[-1]


def cancel_some(job_ids: list[UUID], scope: Scope, reason: str, became: dict[str, int]) -> int:
    with brief():
        rows = sql.run(
            "cancel",
            job_ids=job_ids,
            org_id=scope.org.pk,
            actor=f"user:{scope.user.get_username()}",
            reason=reason[:200],
        )
        running = [row.job_id for row in rows if row.became == "cancelling"]
        command(Lease.objects.filter(job_id__in=running).values_list("worker_id", flat=True), "renew")
        follow_soon()
    became["cancelling"] += len(running)
    became["cancelled"] += len(rows) - len(running)
    return len(rows)
