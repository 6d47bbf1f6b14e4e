"""What the leader keeps in order: counts, depth samples, idempotency keys, and the age of what is stored.

Each call does a bounded batch and says whether there is more.
"""

import logging
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from jobs.queue import sql
from jobs.queue.deliveries import forget_previous_secrets

log = logging.getLogger(__name__)

FOLD_BATCH = 10_000
OLDEST = UUID(int=0)


def fold_counts(*, batch: int = FOLD_BATCH) -> bool:
    (taken,) = sql.run("fold_counts", batch=batch)
    return bool(taken.folded == batch)


def sample_depth() -> None:
    sql.run("sample_depth")


def expire_keys(*, batch: int | None = None) -> bool:
    """Of jobs and of batches."""
    batch = batch or settings.PRUNE_BATCH
    freed = [
        answer.freed
        for name in ("expire_keys", "expire_batch_keys")
        for answer in sql.run(name, hours=settings.IDEMPOTENCY_HOURS, batch=batch)
    ]
    return bool(max(freed) == batch)


class Prune:
    """Deletes what ended long ago, sweep by sweep through the jobs in order of age."""

    def __init__(self) -> None:
        self.after = OLDEST

    def __call__(self) -> bool:
        (looked,) = sql.run(
            "prune",
            after=self.after,
            days=settings.RETENTION_DAYS,
            dead_letter_days=settings.DEAD_LETTER_RETENTION_DAYS,
            batch=settings.PRUNE_BATCH,
        )
        self.after = looked.last or OLDEST
        # The files go after the rows are gone for good.
        transaction.on_commit(lambda: delete_files(looked.files))
        if looked.last is None:
            sql.run("prune_samples", days=settings.RETENTION_DAYS)
            sql.run("prune_batches", days=settings.RETENTION_DAYS)
            sql.run("prune_ticks", days=settings.RETENTION_DAYS)
            sql.run("prune_events", days=settings.SEEN_EVENT_DAYS)
            sql.run("prune_deliveries", days=settings.DELIVERY_RETENTION_DAYS)
            forget_previous_secrets()
        return looked.last is not None


def delete_files(names: list[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            log.exception("a file of a deleted job stays behind", extra={"file": name})
