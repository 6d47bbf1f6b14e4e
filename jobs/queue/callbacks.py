"""Call back for batches, and see to what ends set going: after the commit of the end, and as the leader's sweep."""

import logging
from typing import Any

from django.db import transaction

from jobs.errors import QueueError
from jobs.models import Batch
from jobs.queue.brief import brief
from jobs.queue.enqueue import NewJob, Origin, Outcome, accept
from jobs.queue.new_job import refusal
from jobs.queue.release import release, release_some

log = logging.getLogger(__name__)


def follow_soon() -> None:
    """Once this transaction is committed. The end itself is written, whatever happens here: the leader sees to it."""
    transaction.on_commit(follow, robust=True)


def follow() -> None:
    if release_some():
        call_back()


def sweep() -> bool:
    """The leader's share, a bounded batch; whether there is more."""
    told = release()
    return call_back() or told.more


def call_back() -> bool:
    """Enqueue the callback of a batch that is due; whether there was one. Once a batch, however many call this."""
    with brief():
        due = Batch.objects.filter(callback_due_at__isnull=False).order_by("callback_due_at")
        batch = due.select_related("org", "created_by").select_for_update(of=("self",), skip_locked=True).first()
        if batch is None:
            return False
        outcome = enqueued(batch)
        if isinstance(outcome, QueueError):
            log.warning("a callback was refused", extra={"batch": str(batch.pk), "why": outcome.detail})
            batch.callback_error = outcome.detail[:200]
        else:
            batch.callback_job_id = outcome.job_id
        batch.callback_due_at = None
        batch.save(update_fields=["callback_job_id", "callback_error", "callback_due_at"])
    return True


def enqueued(batch: Batch) -> Outcome:
    new = as_new_job(batch.callback or {})
    # what its author may ask for was checked when the batch was made
    refused = refusal(new, batch.org)
    origin = Origin(batch.org, batch.created_by, batch.correlation_id, counted=False)
    (outcome,) = accept([new], [refused], origin)
    return outcome


def as_new_job(stored: dict[str, Any]) -> NewJob:
    return NewJob(**stored)
