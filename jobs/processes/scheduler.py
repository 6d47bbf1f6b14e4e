"""The scheduler: stands for leader and, as leader, does what must be done once for all: each chore fenced."""

import logging
import time

from django.conf import settings
from django.db import Error

from jobs.errors import NotLeader
from jobs.processes.courier import Courier
from jobs.processes.label_learner import LabelLearner
from jobs.processes.leader import Leadership, fenced
from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.ticker import Chore, Ticker
from jobs.processes.trainer import Trainer
from jobs.processes.triage import Triage
from jobs.queue import alerts, sql
from jobs.queue.bulk_run import run_bulk
from jobs.queue.callbacks import sweep
from jobs.queue.control import keep_held
from jobs.queue.deliveries import close_off
from jobs.queue.erase import Eraser
from jobs.queue.fire import fire
from jobs.queue.keep_order import compare_starts, keep_backlog, keep_shares
from jobs.queue.limit_control import forget_buckets, keep_marked
from jobs.queue.pauses import resume_due
from jobs.queue.promote import promote
from jobs.queue.rollups import RollUp
from jobs.queue.upkeep import (
    Orphans,
    Prune,
    expire_artefacts,
    expire_keys,
    fold_counts,
    fold_earlier,
    fold_payloads,
    fold_runs,
    forget_answers,
    forget_rates,
    note_drift,
    note_releases,
    sample_depth,
)
from jobs.search.index import EVERY_SECONDS, count_errors, index_jobs
from orgs.audit_seals import Sealer

log = logging.getLogger(__name__)

FOLD_SECONDS = 1.0
HOLD_SECONDS = 1.0
FIRE_SECONDS = 0.5
BULK_SECONDS = 0.5
RELEASE_SECONDS = 1.0
MARK_SECONDS = 1.0
RESUME_SECONDS = 1.0
SHARE_SECONDS = 1.0
BACKLOG_SECONDS = 1.0
COMPARE_SECONDS = 10.0
CLOSE_SECONDS = 5.0
ERASE_SECONDS = 5.0
EXPIRE_SECONDS = 60.0
ORPHAN_SECONDS = 3600.0
DRIFT_LOOK_SECONDS = 30.0
LEARN_SECONDS = 5.0
RELEASE_NOTE_SECONDS = 10.0


class Scheduler(Loop):
    """Any number may run: one leads, the others wait to. All of them send deliveries and read the texts of jobs."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=min(settings.PROMOTE_SECONDS, settings.POLL_SECONDS))
        self.presence = Presence("scheduler")
        self.leadership = Leadership(self.presence, on_elected=self.wake)
        self.ticker = Ticker([Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat)])
        self.courier = Courier()
        self.trainer = Trainer()
        self.triage = Triage()
        self.label_learner = LabelLearner()
        self.sealer = Sealer()
        self.looked_everywhere: int | None = None
        # A chore answers whether it should run again at once.
        self.chores = [
            Chore("promote", settings.PROMOTE_SECONDS, lambda: promote() == settings.PROMOTE_BATCH),
            Chore("fire schedules", FIRE_SECONDS, self.fire_schedules),
            Chore("release dependents", RELEASE_SECONDS, sweep),
            Chore("bulk operations", BULK_SECONDS, run_bulk),
            Chore("fold counts", FOLD_SECONDS, fold_counts),
            Chore("fold payloads", FOLD_SECONDS, fold_payloads),
            Chore("fold earlier", FOLD_SECONDS, fold_earlier),
            Chore("fold runs", FOLD_SECONDS, fold_runs),
            Chore("roll up", settings.ROLLUP_SECONDS, RollUp()),
            Chore("note releases", RELEASE_NOTE_SECONDS, note_releases),
            # what there was no time for waits for the next call: so their share of the machine is fixed
            Chore("index jobs", EVERY_SECONDS, index_jobs),
            Chore("count errors", EVERY_SECONDS, count_errors),
            Chore("note drift", DRIFT_LOOK_SECONDS, note_drift),
            Chore("train", settings.TRAIN_LOOK_SECONDS, self.train),
            Chore("hold paused", HOLD_SECONDS, self.hold_paused),
            Chore("resume due", RESUME_SECONDS, resume_due),
            Chore("mark limited", MARK_SECONDS, keep_marked),
            Chore("keep shares", SHARE_SECONDS, keep_shares),
            Chore("keep backlog", BACKLOG_SECONDS, keep_backlog),
            Chore("compare starts", COMPARE_SECONDS, compare_starts),
            Chore("beat", settings.LEADER_BEAT_SECONDS, self.beat_term),
            Chore("sample depth", settings.DEPTH_SAMPLE_SECONDS, sample_depth),
            Chore("expire keys", EXPIRE_SECONDS, expire_keys),
            Chore("learn labels", LEARN_SECONDS, self.label_learner),
            Chore("forget answers", EXPIRE_SECONDS, forget_answers),
            Chore("forget buckets", EXPIRE_SECONDS, forget_buckets),
            Chore("forget rates", EXPIRE_SECONDS, forget_rates),
            Chore("seal audit", settings.AUDIT_SEAL_SECONDS, self.seal_audit),
            Chore("judge alerts", settings.ALERT_SECONDS, alerts.judge),
            Chore("close deliveries", CLOSE_SECONDS, close_off),
            Chore("erase organisations", ERASE_SECONDS, Eraser()),
            Chore("expire artefacts", EXPIRE_SECONDS, expire_artefacts),
            Chore("sweep orphans", ORPHAN_SECONDS, Orphans()),
            Chore("prune", settings.PRUNE_SECONDS, Prune()),
        ]

    def run(self) -> None:
        self.ticker.start()
        self.leadership.start()
        self.courier.start()
        self.triage.start()
        super().run()

    def step(self) -> bool:
        """Run what is due; False when nothing was, or another leads."""
        epoch = self.leadership.epoch
        if epoch is None:
            self.trainer.stop()
            return False
        due = [chore for chore in self.chores if time.monotonic() >= chore.due]
        for chore in due:
            if not self.run_chore(chore, epoch):
                return False
        return bool(due)

    def turned(self) -> None:
        self.presence.pulse.turn()

    def run_chore(self, chore: Chore, epoch: int) -> bool:
        """False when the lead was lost on the way: then nothing was written."""
        # there are many, and each may take long
        self.turned()
        # Put off before it is tried, so that one that fails each time does not keep the others from running.
        chore.due = time.monotonic() + chore.every_seconds
        try:
            with self.measures.chore(chore.name).timed(), fenced(epoch):
                again = chore.run()
        except NotLeader:
            log.warning("a write of a closed term was refused", extra={"chore": chore.name, "epoch": epoch})
            return False
        except Error:
            log.warning("a chore failed", extra={"chore": chore.name})
            self.measures.failed_chores += 1
            raise
        except Exception:
            log.exception("a chore failed", extra={"chore": chore.name})
            self.measures.failed_chores += 1
            return True
        if again:
            chore.due = 0.0
        return True

    def fire_schedules(self) -> bool:
        epoch = self.leadership.epoch
        return epoch is not None and fire(epoch)

    def train(self) -> None:
        if (epoch := self.leadership.epoch) is not None:
            self.trainer.look(epoch)

    def seal_audit(self) -> bool:
        epoch = self.leadership.epoch
        return epoch is not None and self.sealer(epoch)

    def hold_paused(self) -> bool:
        """The first time in a term also what was left while nobody led."""
        epoch = self.leadership.epoch
        changed = keep_held(everywhere=epoch != self.looked_everywhere)
        if not changed:
            self.looked_everywhere = epoch
        return bool(changed)

    def beat_term(self) -> None:
        sql.run("beat_term", epoch=self.leadership.epoch)

    def abandon(self) -> None:
        self.trainer.stop()

    def close(self) -> None:
        self.trainer.stop()
        self.leadership.stop()
        self.courier.stop()
        self.triage.stop()
        self.label_learner.close()
        self.ticker.stop()
        self.presence.leave()
        super().close()
