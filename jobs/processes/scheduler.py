"""The scheduler: stands for leader and, as leader, does what must be done once for all: each chore fenced."""

import logging
import time

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from jobs.errors import NotLeader
from jobs.processes.leader import Leadership, fenced
from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.ticker import Chore, Ticker
from jobs.queue import sql
from jobs.queue.control import keep_held
from jobs.queue.promote import promote

log = logging.getLogger(__name__)

FOLD_SECONDS = 1.0
FOLD_BATCH = 10_000
HOLD_SECONDS = 1.0
EXPIRE_SECONDS = 60.0


class Scheduler(Loop):
    """Any number may run: one leads, the others wait to."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=min(settings.PROMOTE_SECONDS, settings.POLL_SECONDS))
        self.presence = Presence("scheduler")
        self.leadership = Leadership(self.presence)
        self.ticker = Ticker([Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat)])
        # A chore answers whether it should run again at once.
        self.chores = [
            Chore("promote", settings.PROMOTE_SECONDS, lambda: promote() == settings.PROMOTE_BATCH),
            Chore("fold counts", FOLD_SECONDS, fold_counts),
            Chore("hold paused", HOLD_SECONDS, keep_held),
            Chore("beat", settings.LEADER_BEAT_SECONDS, self.beat_term),
            Chore("sample depth", settings.DEPTH_SAMPLE_SECONDS, sample_depth),
            Chore("expire keys", EXPIRE_SECONDS, expire_keys),
            Chore("prune", settings.PRUNE_SECONDS, prune),
        ]

    def run(self) -> None:
        self.presence.beat()
        self.ticker.start()
        self.leadership.start()
        super().run()

    def step(self) -> bool:
        """Run what is due; False when nothing was, or another leads."""
        epoch = self.leadership.epoch
        if epoch is None:
            return False
        due = [chore for chore in self.chores if time.monotonic() >= chore.due]
        for chore in due:
            if not self.run_chore(chore, epoch):
                return False
        return bool(due)

    def run_chore(self, chore: Chore, epoch: int) -> bool:
        """False when the lead was lost on the way: then nothing was written."""
        try:
            with fenced(epoch):
                again = chore.run()
        except NotLeader:
            log.warning("a write of a closed term was refused", extra={"chore": chore.name, "epoch": epoch})
            return False
        chore.due = time.monotonic() + (0.0 if again else chore.every_seconds)
        return True

    def beat_term(self) -> None:
        sql.run("beat_term", epoch=self.leadership.epoch)

    def close(self) -> None:
        self.leadership.stop()
        self.ticker.stop()
        self.presence.leave()
        super().close()


def fold_counts() -> bool:
    # The fold deletes what it took; a full batch means there may be more.
    before = sql.run("fold_counts", batch=FOLD_BATCH)
    return len(before) >= FOLD_BATCH


def sample_depth() -> None:
    sql.run("sample_depth")


def expire_keys() -> bool:
    batch = settings.PRUNE_BATCH
    return len(sql.run("expire_keys", hours=settings.IDEMPOTENCY_HOURS, batch=batch)) == batch


def prune() -> bool:
    """Delete what ended long ago, a bounded batch at a time; files go after the rows are gone for good."""
    (gone,) = sql.run(
        "prune",
        days=settings.RETENTION_DAYS,
        dead_letter_days=settings.DEAD_LETTER_RETENTION_DAYS,
        batch=settings.PRUNE_BATCH,
    )
    connection.on_commit(lambda: [default_storage.delete(name) for name in gone.files])
    sql.run("prune_samples", days=settings.RETENTION_DAYS)
    return bool(gone.jobs == settings.PRUNE_BATCH)
