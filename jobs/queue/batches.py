"""Batches: jobs enqueued together, all or none, counted as they end, with a callback when they have."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from jobs.errors import BatchRefused, InvalidJob, JobNotFound, KeyReused, QueueError, QueueFull
from jobs.ids import uuid7
from jobs.models import Batch, Job, Lease
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.callbacks import follow_soon
from jobs.queue.enqueue import MAX_LENGTHS, Enqueued, NewJob, Origin, accept, canonical, refusal
from jobs.queue.new_job import fingerprint
from jobs.queue.notify import command
from jobs.references import Known
from jobs.states import Status
from jobs.strict_json import UNSTORABLE, written
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
class NewBatch:
    """What a caller asks for."""

    jobs: Sequence[NewJob]
    callback: Callback | None
    name: str
    idempotency_key: str | None

    @property
    def fingerprint(self) -> str | None:
        """What must be alike for a repeat to be a repeat: everything but the key."""
        if self.idempotency_key is None:
            return None
        # the fingerprint of a job leaves out its ref, which says here which job another waits for
        jobs = [[one.ref, fingerprint(one)] for one in self.jobs]
        callback = [self.callback.when, fingerprint(self.callback.job)] if self.callback else None
        return hashlib.sha256(canonical([self.name, jobs, callback])).hexdigest()


@dataclass(frozen=True, slots=True)
class EnqueuedBatch:
    """A batch, and its jobs in the order given; `created` is False when the idempotency key had already brought it."""

    batch_id: UUID
    job_ids: list[UUID]
    created: bool


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
    actor: str = "",
    idempotency_key: str | None = None,
) -> EnqueuedBatch:
    """Store the jobs and their batch in one transaction, or find those that the key has already brought.

    Raises BatchRefused, saying of each job what is wrong, KeyReused, and QueueFull; then nothing was stored.
    """
    asked = NewBatch(jobs, callback, name, idempotency_key)
    known = Known(org)
    refused = [unfit(one, NOT_IN_A_BATCH) or refusal(one, org, role, known) for one in jobs]
    check(asked, refused, org, role)
    batch_id = uuid7()
    origin = Origin(org, user, correlation_id or uuid7().hex, batch_id=batch_id, address=address, actor=actor)
    # whoever sends the same key at the same time waits for this transaction
    with transaction.atomic() if idempotency_key is None else brief():
        if not make(asked, origin):
            return earlier(asked, org)
        outcomes = accept(jobs, refused, origin)
        ids = [outcome.job_id for outcome in outcomes if isinstance(outcome, Enqueued)]
        if full := next((outcome for outcome in outcomes if isinstance(outcome, QueueFull)), None):
            raise full
        if len(ids) < len(jobs):
            raise BatchRefused(faulty(outcomes))
    return EnqueuedBatch(batch_id, ids, created=True)


def make(asked: NewBatch, origin: Origin) -> bool:
    """Store the batch without its jobs; False when its key is taken."""
    callback = asked.callback
    made = sql.run(
        "make_batch",
        id=origin.batch_id,
        org_id=origin.org.pk,
        called=asked.name,
        total=len(asked.jobs),
        correlation_id=origin.correlation_id,
        user_id=origin.user.pk if origin.user else None,
        callback=written(asked_for(callback.job)) if callback else None,
        callback_when=callback.when if callback else "",
        idempotency_key=asked.idempotency_key,
        fingerprint=asked.fingerprint,
    )
    return bool(made)


def earlier(asked: NewBatch, org: Org) -> EnqueuedBatch:
    """The batch that the key has brought. Raises KeyReused."""
    batch = Batch.objects.for_org(org).filter(idempotency_key=asked.idempotency_key).first()
    # None: the key's day ended between the two statements; the caller may use it again
    if batch is None or batch.fingerprint != asked.fingerprint:
        raise KeyReused
    # ids are made in the order given (uuid7s), so that it need not be kept
    jobs = Job.objects.filter(batch_id=batch.pk).order_by("pk")
    return EnqueuedBatch(batch.pk, list(jobs.values_list("pk", flat=True)), created=False)


def check(asked: NewBatch, refused: Sequence[QueueError | None], org: Org, role: str) -> None:
    callback = asked.callback
    faults = faulty(refused)
    if callback and (error := unfit(callback.job, NOT_FOR_A_CALLBACK) or refusal(callback.job, org, role)):
        faults.append(("/callback/job", error))
    if callback and callback.when not in (Batch.SUCCESS, Batch.END):
        faults.append(("/callback", InvalidJob([("/when", "One of success, end.")])))
    if found := list(own_faults(asked)):
        faults.append(("", InvalidJob(found)))
    if faults:
        raise BatchRefused(faults)


def own_faults(asked: NewBatch) -> Iterator[tuple[str, str]]:
    """What is wrong with the batch itself: (JSON pointer, sentence)."""
    if not asked.jobs:
        yield "/jobs", "At least one."
    for name in ("name", "idempotency_key"):
        text = getattr(asked, name) or ""
        if len(text) > MAX_LENGTHS[name] or UNSTORABLE.search(text):
            yield f"/{name}", f"At most {MAX_LENGTHS[name]} characters, none of them NUL."
    if asked.idempotency_key == "":
        yield "/idempotency_key", "May not be empty."


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
            told = cancel_some(batch_id, job_ids, scope=scope, request=request, reason=reason)
            became = {word: became[word] + told[word] for word in became}
            passed += sum(told.values())
        if not passed:
            break
    return became


def unended(batch_id: UUID) -> Iterator[list[UUID]]:
    """The jobs of a batch that have not ended and were not asked to."""
    last = UUID(int=0)
    asked = Lease.objects.filter(cancel_requested=True).values("job_id")
    waiting = Job.objects.filter(batch_id=batch_id, status__in=[Status.SCHEDULED, Status.QUEUED]).exclude(pk__in=asked)
    while job_ids := list(waiting.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CANCEL_BATCH]):
        yield job_ids
        last = job_ids[-1]


def cancel_some(
    batch_id: UUID, job_ids: list[UUID], *, scope: Scope, request: HttpRequest | None, reason: str
) -> dict[str, int]:
    """In a transaction with its entry in the audit trail: what was cancelled is there, also if the rest is not."""
    with brief():
        rows = sql.run(
            "cancel",
            job_ids=job_ids,
            org_id=scope.org.pk,
            actor=scope.actor,
            reason=reason[:200],
        )
        running = [row.job_id for row in rows if row.became == "cancelling"]
        command(Lease.objects.filter(job_id__in=running).values_list("worker_id", flat=True), "renew")
        follow_soon()
        became = {"cancelled": len(rows) - len(running), "cancelling": len(running)}
        if rows:
            audit.record(
                "batch.cancel",
                org=scope.org,
                actor=scope.user,
                target=batch_id,
                request=request,
                reason=reason,
                **became,
            )
    return became
