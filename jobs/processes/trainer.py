"""The leader's trainings: one at a time, each in a process of its own that ends with the leader's term.

The process (`manage.py train --epoch`) bounds itself in memory and gives way to others (aside.bound); how long it
may take is watched here. It stores its model in one transaction that is the leader's: when the term is over, nothing
is stored.
"""

import errno
import logging
import signal
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from jobs.models import Learning
from jobs.processes.aside import Aside
from jobs.queue import sql

log = logging.getLogger(__name__)

RETRY_CAP_SECONDS = 6 * 3600.0
# What the process ends with when memory was refused to it.
NO_MEMORY = errno.ENOMEM


@dataclass(frozen=True, slots=True)
class Running:
    """A training under way."""

    aside: Aside
    org_id: int
    slug: str
    epoch: int


class Trainer:
    """Begins what is due and watches what it began; only the scheduler's loop calls it."""

    def __init__(self) -> None:
        self.running: Running | None = None

    def look(self, epoch: int) -> None:
        """Within the fence of a term: see to the training under way, else begin the next that is due."""
        if self.running is not None and self.running.epoch != epoch:
            self.stop()
        if self.running is not None:
            self.watch(self.running)
        if self.running is None and (due := begin_training()):
            # not before it is certain that it has been put off
            transaction.on_commit(lambda: self.start(due.slug, due.org_id, epoch))

    def watch(self, running: Running) -> None:
        if not running.aside.over:
            return
        self.running = None
        if (status := running.aside.end()) != 0:
            error = why(status)
            log.error("a training failed", extra={"org": running.slug, "error": error})
            Learning.objects.filter(org_id=running.org_id).update(error=error)

    def start(self, slug: str, org_id: int, epoch: int) -> None:
        seconds = settings.TRAIN_MAX_SECONDS + settings.TRAIN_GRACE_SECONDS
        aside = Aside("train", "--org", slug, "--epoch", str(epoch), seconds=seconds)
        self.running = Running(aside, org_id, slug, epoch)
        log.info("training", extra={"org": slug, "child": aside.process.pid})

    def stop(self) -> None:
        """No training of ours goes on after this."""
        if self.running is not None:
            self.running.aside.end()
            self.running = None


def begin_training() -> sql.Row | None:
    """The organisation whose training is to begin now; its next one has been put off."""
    rows = sql.run(
        "begin_training",
        least=settings.TRAIN_MIN_RUNS,
        after_runs=settings.TRAIN_AFTER_RUNS,
        after_share=settings.TRAIN_AFTER_PERCENT / 100,
        most=settings.TRAIN_MAX_RUNS,
        drift_seconds=settings.DRIFT_SECONDS,
        retry_seconds=settings.TRAIN_RETRY_SECONDS,
        retry_cap_seconds=RETRY_CAP_SECONDS,
    )
    return rows[0] if rows else None


def why(status: int | None) -> str:
    """What became of a process that did not end well; None for one that went on for too long."""
    if status is None:
        return f"It took longer than {settings.TRAIN_MAX_SECONDS + settings.TRAIN_GRACE_SECONDS:g} s and was ended."
    if status == NO_MEMORY:
        return f"It wanted more memory than {settings.TRAIN_MEMORY_MAX_BYTES:,} bytes."
    if status < 0:
        return f"It was ended by {signal.Signals(-status).name}."
    return f"It ended with status {status}; the scheduler's log tells more."
