"""The worker: claims as many jobs as it has free slots, runs them, and writes their ends in batches."""

import logging
import os
import queue
import time
from collections.abc import Mapping, Sequence
from itertools import groupby

from django.conf import settings
from django.db import DataError, Error, IntegrityError

from jobs.handlers import registry
from jobs.handlers.base import StopReason
from jobs.models import WorkerProcess
from jobs.processes.executor import Attempt, LoopSlots, ThreadSlots
from jobs.processes.folders import sweep
from jobs.processes.keeper import Keeper, ask
from jobs.processes.lookout import Lookout
from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.reporting import flush
from jobs.processes.servers import close_servers
from jobs.processes.ticker import Chore, Ticker
from jobs.queue import sql
from jobs.queue.claim import Ask, Claimed, claim
from jobs.queue.finish import Ended, Settled, finish_and_claim, finish_each, named, note_fenced
from jobs.queue.lease import give_back
from jobs.states import Outcome

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
DEADLINE_SECONDS = 0.1
PARENT_SECONDS = 1.0
# How long an end waits for others to share its commit, while there are others that may come.
COMPANY_SECONDS = 0.005
# What waits is under the lock of another worker's claim: look again when that claim has been committed.
CONTENDED_SECONDS = 0.02
# At the end of a drain, from asking the rest to stop until their jobs are given back.
RELEASE_GRACE_SECONDS = 1.6
EXIT_NO_SLOTS = 75


class Worker(Loop):
    """One connection to claim and finish, one to listen, one for the ticker that renews leases and beats."""

    def __init__(
        self,
        *,
        queues: Sequence[str],
        types: Sequence[str] = (),
        slots: int,
        until_empty: bool = False,
        parent: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(idle_seconds=settings.POLL_SECONDS)
        self.types = sorted(set(types)) or registry.performed()
        self.slots = slots
        self.until_empty = until_empty
        # The process that minds this one: without it this one ends.
        self.parent = parent
        self.exit_code = 0
        self.presence = Presence("worker", slots=slots, queues=sorted(set(queues)), types=self.types)
        self.presence.labels, self.presence.on_asked = labels or {}, self.obey
        # It takes no more until it is asked to go on.
        self.quiet = False
        self.keeper = Keeper(self.presence.id, self.on_abandon, self.measures)
        self.attempts = self.keeper.attempts
        # Slots whose threads have not returned from an attempt that was ended without them.
        self.stuck = 0
        # (attempt, how it ended, whether its thread said so)
        self.ends: queue.SimpleQueue[tuple[Attempt, Ended, bool]] = queue.SimpleQueue()
        self.unsettled: list[tuple[Attempt, Ended]] = []
        # How many ends are enough to be written without waiting for more.
        self.enough = 1
        self.thread_slots = ThreadSlots(slots, self.on_end)
        self.loop_slots = LoopSlots(self.on_end)
        self.ticker = Ticker(self.chores())
        self.lookout = Lookout(
            queues=self.presence.queues, types=self.types, worker_id=self.presence.id, hurry=self.ticker.hurry
        )
        # A claim may have been committed without its answer reaching us.
        self.answer_lost = False

    def chores(self) -> list[Chore]:
        return [
            Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat),
            Chore("renew", settings.LEASE_RENEW_SECONDS, self.keeper.renew),
            Chore("deadlines", DEADLINE_SECONDS, self.keeper.check_deadlines),
            Chore("flush", FLUSH_SECONDS, self.keeper.flush),
            Chore("parent", PARENT_SECONDS, self.check_parent),
            Chore("peers", settings.HEARTBEAT_SECONDS, lambda: self.lookout.seat()),
        ]

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        sql.only_for_the_queue()
        sweep()
        self.ticker.start()
        log.info("worker started", extra={"queues": self.presence.queues, "types": self.types, "slots": self.slots})
        super().run()

    def step(self) -> bool:
        """Write what has ended and claim for the free slots; False when it is time to sleep."""
        self.gather()
        settled, taken = self.turn()
        if self.until_empty and not (settled or taken or self.attempts or self.contended()):
            self.stop()
        return settled or taken

    def turned(self) -> None:
        self.presence.pulse.turn()

    def gather(self) -> None:
        """Let the ends of this moment come together: one commit is as dear for one as for a hundred.

        None is kept longer than COMPANY_SECONDS, nor at all when nothing else is in hand.
        """
        self.enough = max(len(self.attempts) - self.stuck, 1)
        if self.ends.empty():
            return
        end = time.monotonic() + COMPANY_SECONDS
        while self.ends.qsize() < self.enough and (left := end - time.monotonic()) > 0 and not self.stopping:
            super().sleep(left)

    def turn(self) -> tuple[bool, bool]:
        """One round over the queues: the ends go with the first claim, and each time another queue is asked first.

        Answers whether something was settled, and whether something was taken.
        """
        self.receive()
        self.give_back_unknown()
        self.collect_ends()
        settled, taken = bool(self.unsettled), 0
        free = self.free_slots() + len(self.unsettled)
        if self.quiet:
            self.lookout.hear()
        elif free > 0:
            queues = self.lookout.queues_to_ask()
            taken = self.take_limited(free)
            for name in queues:
                if taken == free:
                    break
                taken += self.claim_from(name, free - taken)
        if self.unsettled:
            self.settle()
        return settled, taken > 0

    def free_slots(self) -> int:
        return self.slots - len(self.attempts) - self.stuck

    def claim_from(self, name: str, slots: int) -> int:
        """Claim from one queue, writing on the way what has ended."""
        floors = self.lookout.floors.of(name)
        spans = self.lookout.floors.spans(name) if floors else ()
        ask = Ask(name, self.types, slots, self.presence.id, self.presence.name, floors, spans)
        held_until = time.monotonic() + settings.LEASE_SECONDS
        self.answer_lost = True
        claims = self.settle_and_claim(ask) if self.unsettled else claim(**ask._asdict())
        self.lookout.floors.taken(name, claims, everywhere=not floors, full=len(claims) == slots)
        self.start([Attempt(claimed, held_until, self.presence.name) for claimed in claims])
        self.answer_lost = False
        if len(claims) < slots:
            self.lookout.exhausted(name)
        return len(claims)

    def take_limited(self, slots: int) -> int:
        """Claim jobs that have limits, where some are known to wait; what has ended makes room for them first."""
        limited, taken = self.lookout.limited, 0
        for name in limited.due():
            if self.unsettled:
                self.settle()
            if taken == slots:
                break
            held_until = time.monotonic() + settings.LEASE_SECONDS
            floors, spans = self.lookout.floors.known(name), self.lookout.floors.spans(name)
            ask = Ask(name, self.types, slots - taken, self.presence.id, self.presence.name, floors, spans)
            self.answer_lost = True
            claims = limited.claim(ask)
            self.start([Attempt(claimed, held_until, self.presence.name) for claimed in claims])
            self.answer_lost = False
            taken += len(claims)
        return taken

    def start(self, attempts: list[Attempt]) -> None:
        self.measures.claimed += len(attempts)
        self.attempts.update((attempt.claimed.token, attempt) for attempt in attempts)
        self.enough = max(len(self.attempts) - self.stuck, 1)
        # in order, and those of a kind together
        for is_async, each in groupby(attempts, key=lambda attempt: attempt.is_async):
            (self.loop_slots if is_async else self.thread_slots).start(list(each))

    def give_back_unknown(self) -> None:
        """After a claim that broke off: what it took and we never heard of need not wait for its lease to end."""
        if not self.answer_lost:
            return
        known = list(self.attempts)
        given = give_back(worker_id=self.presence.id, known=known, worker_name=self.presence.name)
        self.answer_lost = False
        if given:
            log.warning("gave back jobs of a claim without an answer", extra={"jobs": given})

    def receive(self) -> None:
        """Take the notifications that ended the sleep; when idle, let the worker whose turn it is go first."""
        seconds = self.lookout.receive()
        if seconds and not self.attempts:
            super().sleep(seconds)

    def sockets(self) -> list[object]:
        return list(self.lookout.listener.sockets())

    def sleep(self, seconds: float) -> None:
        seconds = min(seconds, self.lookout.limited.seconds())
        super().sleep(min(CONTENDED_SECONDS, seconds) if not self.stopping and self.contended() else seconds)

    def contended(self) -> bool:
        if self.quiet or self.free_slots() <= 0:
            return False
        try:
            return self.lookout.hidden()
        except Error:
            self.forget_connection()
            return False

    def obey(self, asked: str) -> None:
        """Called by the ticker's thread: what a person asked of this worker."""
        if self.stopping:
            return
        if asked == "stop":
            self.stop()
        else:
            self.quiet = asked == "quiet"
            self.presence.status = WorkerProcess.QUIET if self.quiet else WorkerProcess.ONLINE
        self.presence.obey(asked)
        log.info("asked", extra={"command": asked})
        self.wake()

    def check_parent(self) -> None:
        if self.parent is not None and os.getppid() != self.parent and not self.stopping:
            log.error("the process that minds this worker is gone; it ends")
            self.stop()

    # --- ends of attempts ---------------------------------------------------------------------------------------

    def on_end(self, attempt: Attempt, ended: Ended) -> None:
        """Called by a slot's thread; the loop is woken by the first end and by the last that it waits for."""
        self.ends.put((attempt, ended, True))
        waiting = self.ends.qsize()
        if waiting == 1 or waiting >= self.enough:
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
        with self.keeper.writing:
            flush(attempt.reporter for attempt, _ in self.unsettled)
            settled = self.finish_all()
        self.forget(settled)
        return True

    def settle_and_claim(self, ask: Ask) -> list[Claimed]:
        """The same with a claim in the same commit; on its own when one of the ends is refused."""
        with self.keeper.writing:
            flush(attempt.reporter for attempt, _ in self.unsettled)
            try:
                settled, claims = finish_and_claim([ended for _, ended in self.unsettled], ask)
            except (DataError, IntegrityError):
                log.exception("an end was refused")
                settled, claims = self.finish_all(), []
        self.forget(settled)
        return claims

    def finish_all(self) -> list[Settled]:
        return finish_each([ended for _, ended in self.unsettled], worker_name=self.presence.name)

    def forget(self, settled: Sequence[Settled]) -> None:
        """The attempts whose ends are in the database, or known to be fenced, are out of our hands."""
        ended, self.unsettled = self.unsettled, []
        for attempt, _ in ended:
            self.attempts.pop(attempt.claimed.token, None)
        self.presence.jobs_processed += len(settled)
        self.measures.ended += len(settled)
        if len(settled) == len(ended):
            return
        written = {(one.job_id, one.attempt) for one in settled}
        late = [attempt.claimed for attempt, _ in ended if attempt.claimed[:2] not in written]
        self.measures.fenced += len(late)
        for claimed in late:
            log.warning("fenced", extra=named(claimed))
        note_fenced(late)

    def collect_ends(self) -> None:
        """The first end of an attempt counts; when that was not its thread's, the slot is stuck until that comes."""
        while not self.ends.empty():
            attempt, ended, thread_is_free = self.ends.get()
            if not attempt.over:
                attempt.over = True
                if attempt.settled:
                    self.attempts.pop(attempt.claimed.token, None)
                    self.presence.jobs_processed += 1
                    self.measures.ended += 1
                else:
                    self.unsettled.append((attempt, ended))
                self.stuck += 0 if thread_is_free else 1
            elif thread_is_free:
                self.stuck -= 1
        if self.stuck >= self.slots and not self.stopping:
            log.error("every slot is stuck in a handler that does not stop; this worker ends")
            self.exit_code = EXIT_NO_SLOTS
            self.stop()

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
        self.thread_slots.close()
        close_servers()
        self.lookout.listener.close()
        self.presence.leave()
        super().close()
        log.info("worker stopped", extra={"jobs_processed": self.presence.jobs_processed})
