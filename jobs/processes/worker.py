"""The worker: claims as many jobs as it has free slots, runs them, and writes their ends in batches."""

import logging
import queue
import time
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import DataError, Error, IntegrityError

from jobs.handlers import registry
from jobs.handlers.base import StopReason
from jobs.models import WorkerProcess
from jobs.processes.executor import Attempt, ThreadSlots
from jobs.processes.keeper import Keeper, ask
from jobs.processes.listener import Listener
from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.reporting import flush
from jobs.processes.ticker import Chore, Ticker
from jobs.queue.claim import busy_queues, claim, waiting
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import give_back
from jobs.queue.notify import ANY_WORK, command_channel, work_channel
from jobs.states import Outcome

log = logging.getLogger(__name__)

ALL_QUEUES = "*"
FLUSH_SECONDS = 0.5
DEADLINE_SECONDS = 0.1
# What waits is under the lock of another worker's claim: look again when that claim has been committed.
CONTENDED_SECONDS = 0.02
# At the end of a drain, from asking the rest to stop until their jobs are given back.
RELEASE_GRACE_SECONDS = 2.5
EXIT_NO_SLOTS = 75
UNSTORABLE = "BadResult"


class Worker(Loop):
    """One connection to claim and finish, one to listen, one for the ticker that renews leases and beats."""

    def __init__(
        self, *, queues: Sequence[str], types: Sequence[str] = (), slots: int, until_empty: bool = False
    ) -> None:
        super().__init__(idle_seconds=settings.POLL_SECONDS)
        self.queues = sorted(set(queues))
        self.types = sorted(set(types)) or registry.types()
        self.slots = slots
        self.until_empty = until_empty
        self.exit_code = 0
        self.presence = Presence("worker", slots=slots, queues=self.queues, types=self.types)
        self.keeper = Keeper(self.presence.id, self.on_abandon)
        self.attempts = self.keeper.attempts
        # Slots whose threads have not returned from an attempt that was ended without them.
        self.stuck = 0
        # (attempt, how it ended, whether its thread said so)
        self.ends: queue.SimpleQueue[tuple[Attempt, Ended, bool]] = queue.SimpleQueue()
        self.unsettled: list[tuple[Attempt, Ended]] = []
        self.thread_slots = ThreadSlots(slots, self.on_end)
        self.listener = Listener()
        self.ticker = Ticker(
            [
                Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat),
                Chore("renew", settings.LEASE_RENEW_SECONDS, self.keeper.renew),
                Chore("deadlines", DEADLINE_SECONDS, self.keeper.check_deadlines),
                Chore("flush", FLUSH_SECONDS, self.keeper.flush),
            ]
        )
        self.serve_from = 0
        # A claim may have been committed without its answer reaching us.
        self.answer_lost = False

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.ticker.start()
        log.info("worker started", extra={"queues": self.queues, "types": self.types, "slots": self.slots})
        super().run()

    def step(self) -> bool:
        settled = self.settle()
        taken = self.take()
        if self.until_empty and not (settled or taken or self.attempts or self.contended()):
            self.stop()
        return settled or taken

    def take(self) -> bool:
        """Claim for the free slots, queue by queue; each time another queue is asked first."""
        self.receive()
        self.give_back_unknown()
        free = self.free_slots()
        if free <= 0:
            return False
        queues = self.served_queues()
        self.serve_from += 1
        taken = 0
        for index in range(len(queues)):
            if taken == free:
                break
            taken += self.claim_from(queues[(index + self.serve_from) % len(queues)], free - taken)
        return taken > 0

    def free_slots(self) -> int:
        return self.slots - len(self.attempts) - self.stuck

    def claim_from(self, name: str, slots: int) -> int:
        held_until = time.monotonic() + settings.LEASE_SECONDS
        self.answer_lost = True
        claims = claim(
            queue=name, types=self.types, slots=slots, worker_id=self.presence.id, worker_name=self.presence.name
        )
        for claimed in claims:
            attempt = Attempt(claimed, held_until)
            self.attempts[claimed.token] = attempt
            self.thread_slots.start(attempt)
        self.answer_lost = False
        return len(claims)

    def give_back_unknown(self) -> None:
        """After a claim that broke off: what it took and we never heard of need not wait for its lease to end."""
        if not self.answer_lost:
            return
        known = list(self.attempts)
        given = give_back(worker_id=self.presence.id, known=known, worker_name=self.presence.name)
        self.answer_lost = False
        if given:
            log.warning("gave back jobs of a claim without an answer", extra={"jobs": given})

    def served_queues(self) -> list[str]:
        """The queues to ask, having made sure to hear of new work in them; `*` is every queue there is."""
        everything = ALL_QUEUES in self.queues
        channels = [ANY_WORK] if everything else [work_channel(name) for name in self.queues]
        if self.listener.listen([*channels, command_channel(self.presence.id)]):
            # a command may have been sent while nobody listened
            self.ticker.hurry("renew")
        return busy_queues() if everything else self.queues

    def receive(self) -> None:
        """Take the notifications that ended the sleep: new work needs no more, a command does."""
        for channel, word in self.listener.received():
            if channel == command_channel(self.presence.id):
                self.ticker.hurry(word)

    def sockets(self) -> list[object]:
        return list(self.listener.sockets())

    def sleep(self, seconds: float) -> None:
        super().sleep(CONTENDED_SECONDS if not self.stopping and self.contended() else seconds)

    def contended(self) -> bool:
        """Whether another worker's claim hides work from ours: it locks more rows than it takes."""
        if self.free_slots() <= 0:
            return False
        try:
            queues = busy_queues() if ALL_QUEUES in self.queues else self.queues
            return waiting(queues=queues, types=self.types)
        except Error:
            self.forget_connection()
            return False

    # --- ends of attempts ---------------------------------------------------------------------------------------

    def on_end(self, attempt: Attempt, ended: Ended) -> None:
        """Called by a slot's thread; wakes the loop, which writes it at once if it was idle."""
        self.ends.put((attempt, ended, True))
        self.wake()

    def on_abandon(self, attempt: Attempt) -> None:
        """Called by the ticker's thread. A thread cannot be killed: the job goes on elsewhere, the slot is lost
        until the handler returns."""
        self.ends.put((attempt, attempt.stopped(), False))
        self.wake()

    def settle(self) -> bool:
        """Write all ends there are in one statement; kept for the next step when the database is away."""
        self.collect_ends()
        if not self.unsettled:
            return False
        batch = self.unsettled
        with self.keeper.writing:
            flush([attempt.reporter for attempt, _ in batch])
            settled = self.finish_batch([ended for _, ended in batch])
        self.unsettled = []
        for attempt, _ in batch:
            claimed = attempt.claimed
            self.attempts.pop(claimed.token, None)
            if (claimed.job_id, claimed.attempt) in settled:
                self.presence.jobs_processed += 1
            else:
                log.warning("fenced", extra={"job": str(claimed.job_id), "attempt": claimed.attempt})
        return True

    def collect_ends(self) -> None:
        """The first end of an attempt counts; when that was not its thread's, the slot is stuck until that comes."""
        while not self.ends.empty():
            attempt, ended, thread_is_free = self.ends.get()
            if not attempt.over:
                attempt.over = True
                self.unsettled.append((attempt, ended))
                self.stuck += 0 if thread_is_free else 1
            elif thread_is_free:
                self.stuck -= 1
        if self.stuck >= self.slots and not self.stopping:
            log.error("every slot is stuck in a handler that does not stop; this worker ends")
            self.exit_code = EXIT_NO_SLOTS
            self.stop()

    def finish_batch(self, ends: list[Ended]) -> set[tuple[UUID, int]]:
        """(job, attempt) of those that were still ours. An end the database refuses must not hold up the others."""
        try:
            rows = finish(ends, worker_name=self.presence.name)
        except (DataError, IntegrityError):
            log.exception("an end was refused")
            if len(ends) > 1:
                return set().union(*(self.finish_batch([end]) for end in ends))
            if ends[0].error_type == UNSTORABLE:
                return set()  # the watchdog will end it
            return self.finish_batch([unstorable(ends[0])])
        return {(row.job_id, row.attempt) for row in rows}

    # --- the end ------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Finish within the grace; then ask the rest to stop, and give back what they had without burning a try."""
        self.presence.status = WorkerProcess.DRAINING
        self.ticker.hurry("beat")
        self.settle_until(time.monotonic() + settings.DRAIN_GRACE_SECONDS)
        self.keeper.stop_all(StopReason.DRAIN)
        self.settle_until(time.monotonic() + RELEASE_GRACE_SECONDS)
        for attempt in self.attempts.values():
            if not attempt.over:
                attempt.over = True
                self.unsettled.append((attempt, Ended(attempt.claimed, Outcome.RELEASED)))
        self.guarded_settle()

    def settle_until(self, end: float) -> None:
        while self.attempts and time.monotonic() < end:
            self.receive()
            if not self.guarded_settle():
                super().sleep(min(0.2, max(end - time.monotonic(), 0)))

    def guarded_settle(self) -> bool:
        try:
            return self.settle()
        except Error as error:
            log.warning("could not write ends while draining", extra={"error": str(error).strip()})
            self.forget_connection()
            return False

    def abandon(self) -> None:
        for attempt in list(self.attempts.values()):
            ask(attempt, StopReason.DRAIN)

    def close(self) -> None:
        self.ticker.stop()
        self.listener.close()
        self.presence.leave()
        super().close()
        log.info("worker stopped", extra={"jobs_processed": self.presence.jobs_processed})


def unstorable(end: Ended) -> Ended:
    """What stands for an end that the database refuses."""
    return Ended(
        end.claimed,
        Outcome.ERROR,
        error_type=UNSTORABLE,
        error="The result cannot be stored.",
        permanent=True,
    )
