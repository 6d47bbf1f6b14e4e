"""What the leader keeps in order: counts, what is learned of runs, depth samples, keys, and the age of what is stored.

Each call does a bounded batch and says whether there is more.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from jobs.models import BulkOutcome
from jobs.queue import sql
from jobs.queue.deliveries import forget_previous_secrets
from jobs.queue.rollups import prune_rollups
from orgs import limit_hits
from orgs.buckets import forget_full
from orgs.tokens import forget_expired

log = logging.getLogger(__name__)

FOLD_BATCH = 10_000
# Each is what one statement ended of one kind: a run or some hundreds.
RUNS_BATCH = 1_000
# A look at a thousand files takes a few milliseconds of the leader's transaction.
ORPHAN_BATCH = 1_000
ORPHAN_SECONDS = 24 * 3600
# Mean |log2(predicted / actual)| that a smaller held-out error is taken for: half as much again is next to nothing.
DRIFT_LEAST_ERROR = 0.1
OUR_NAME = re.compile(r"[0-9a-f]{32}")
OLDEST = UUID(int=0)


def fold_counts(*, batch: int = FOLD_BATCH) -> bool:
    (taken,) = sql.run("fold_counts", batch=batch)
    return bool(taken.folded == batch)


def fold_payloads(*, batch: int = FOLD_BATCH) -> bool:
    (taken,) = sql.run("fold_payloads", batch=batch)
    return bool(taken.folded == batch)


def fold_runs(*, batch: int = RUNS_BATCH) -> bool:
    (taken,) = sql.run("fold_runs", batch=batch)
    return bool(taken.folded == batch)


def fold_earlier(*, batch: int = RUNS_BATCH) -> bool:
    """What workers of the version before leave. Goes with the tables of theirs."""
    (taken,) = sql.run("fold_earlier", batch=batch)
    return bool(taken.folded == batch)


def note_drift() -> None:
    """Note whose model has been far worse lately than when it was promoted: it is soon trained again."""
    for row in sql.run(
        "note_drift",
        hours=settings.DRIFT_HOURS,
        runs=settings.DRIFT_RUNS,
        factor=settings.DRIFT_PERCENT / 100,
        least_error=DRIFT_LEAST_ERROR,
    ):
        log.info("a model is worse than it was" if row.worse_since else "a model is as good as it was", extra=dict(row))


def note_releases() -> None:
    sql.run("note_releases")


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


def forget_answers(*, batch: int | None = None) -> bool:
    """What was answered to texts long ago, and more than is kept."""
    batch = batch or settings.PRUNE_BATCH
    (gone,) = sql.run(
        "forget_answers", days=settings.CLASSIFY_CACHE_DAYS, rows=settings.CLASSIFY_CACHE_MAX_ROWS, batch=batch
    )
    return bool(gone.answers == batch)


def forget_rates(*, batch: int | None = None) -> bool:
    """The buckets of calls that are full again: most are of clients who will not come back. Hits of limits long ago."""
    batch = batch or settings.PRUNE_BATCH
    return max(forget_full(batch), limit_hits.forget_old(batch))


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
            sql.run("prune_accuracy", days=settings.ACCURACY_RETENTION_DAYS)
            prune_rollups()
            sql.run("prune_memories", days=settings.MEMORY_RETENTION_DAYS)
            sql.run("prune_errors", days=settings.DEAD_LETTER_RETENTION_DAYS, batch=settings.PRUNE_BATCH)
            sql.run("prune_batches", days=settings.RETENTION_DAYS)
            sql.run("prune_ticks", days=settings.RETENTION_DAYS)
            sql.run("prune_events", days=settings.SEEN_EVENT_DAYS)
            sql.run("prune_bulk", days=settings.RETENTION_DAYS, kept=BulkOutcome.KEPT)
            sql.run("prune_deliveries", days=settings.DELIVERY_RETENTION_DAYS)
            sql.run("prune_alerts", days=settings.DELIVERY_RETENTION_DAYS)
            forget_previous_secrets()
            forget_expired(settings.PRUNE_BATCH)
        return looked.last is not None


def expire_artefacts(*, batch: int | None = None) -> bool:
    """What people sent and jobs have had time to read."""
    batch = batch or settings.PRUNE_BATCH
    names = [row.file for row in sql.run("expire_artefacts", batch=batch)]
    transaction.on_commit(lambda: delete_files(names))
    return len(names) == batch


class Orphans:
    """Deletes files that never got a row, as after a crash in between: sweep by sweep through the folder of artefacts.

    In S3 that is a matter of the bucket: docs/artefacts.md.
    """

    def __init__(self) -> None:
        self.files: Iterator[str] = iter(())

    def __call__(self) -> bool:
        names = list(islice(self.files, ORPHAN_BATCH))
        if not names and not settings.ARTEFACTS_IN_S3:
            self.files = old_files(Path(settings.MEDIA_ROOT))
            names = list(islice(self.files, ORPHAN_BATCH))
        ids = [UUID(name.rpartition("/")[2]) for name in names]
        orphans = [row.name for row in sql.run("orphans", names=names, ids=ids)] if names else []
        if orphans:
            log.warning("files without a row are deleted", extra={"files": len(orphans)})
        transaction.on_commit(lambda: delete_files(orphans))
        return len(names) == ORPHAN_BATCH


def old_files(root: Path) -> Iterator[str]:
    """Names of our making, in the storage, of files that are no longer being written."""
    before = time.time() - ORPHAN_SECONDS
    for folder in listed(root):
        if folder.name.isascii() and folder.name.isdigit() and folder.is_dir(follow_symlinks=False):
            for file in listed(folder.path):
                with contextlib.suppress(FileNotFoundError):
                    if OUR_NAME.fullmatch(file.name) and file.stat(follow_symlinks=False).st_mtime < before:
                        yield f"{folder.name}/{file.name}"


def listed(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except FileNotFoundError:
        return


def delete_files(names: list[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            log.exception("a file of a deleted job stays behind", extra={"file": name})
