"""The worker: claims as many jobs as it has free slots, runs them, and writes their ends in batches."""

import logging
import queue
import time
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from jobs.handlers import registry
from jobs.handlers.base import StopReason
from jobs.models import Queue, WorkerProcess
from jobs.processes.executor import Attempt, ThreadSlots
from jobs.processes.listener import Listener
from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.reporting import flush
from jobs.processes.ticker import Chore, Ticker
from jobs.queue.claim import claim
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import renew
from jobs.queue.notify import command_channel, work_channel
from jobs.states import Outcome

log = logging.getLogger(__name__)

ALL_QUEUES = "*"
FLUSH_SECONDS = 0.5
DEADLINE_SECONDS = 0.1
# After a stop is asked, how long a handler may take to return before its attempt is ended without it.
STOP_GRACE_SECONDS = 5.0
# At the end of a drain, from asking the rest to stop until their jobs are given back.
RELEASE_GRACE_SECONDS = 2.5


class Worker(Loop):
    """One connection to claim and finish, one to listen, one for the ticker that renews leases and beats."""

    def __init__(
        self, *, queues: Sequence[str], types: Sequence[str] = (), slots: int, until_empty: bool = False
    ) -> None:
        super().__init__(idle_seconds=settings.POLL_SECONDS)
        self.queues = list(queues)
        self.types = list(types) or registry.types()
        self.slots = slots
        self.until_empty = until_empty
        self.presence = Presence("worker", slots=slots, queues=self.queues, types=self.types)
        # By token. An attempt leaves when its end is in the database, or known to be fenced.
        self.attempts: dict[UUID, Attempt] = {}
        # Abandoned attempts whose threads have not returned: each still takes a slot.
        self.stuck = 0
        self.ends: queue.SimpleQueue[tuple[Attempt, Ended]] = queue.SimpleQueue()
        self.unsettled: list[tuple[Attempt, Ended]] = []
        self.thread_slots = ThreadSlots(slots, self.on_end)
        self.listener = Listener()
        self.ticker = Ticker(
            [
                Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat),
                Chore("renew", settings.LEASE_RENEW_SECONDS, self.renew_leases),
                Chore("deadlines", DEADLINE_SECONDS, self.stop_overdue),
                Chore("flush", FLUSH_SECONDS, self.flush_reports),
            ]
        )
        self.serve_from = 0

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.presence.beat()
        self.ticker.start()
        log.info("worker started", extra={"queues": self.queues, "types": self.types, "slots": self.slots})
        super().run()

    def step(self) -> bool:
        settled = self.settle()
        taken = self.take()
        if self.until_empty and not (settled or taken or self.attempts):
            self.stop()
        return settled or taken

    def take(self) -> bool:
        """Claim for the free slots, queue by queue; each time another queue is asked first."""
        self.receive()
        free = self.slots - len(self.attempts) - self.stuck
        if free <= 0:
            return False
        queues = self.served_queues()
        self.serve_from += 1
        taken = False
        for index in range(len(queues)):
            name = queues[(index + self.serve_from) % len(queues)]
            for claimed in claim(
                queue=name,
                types=self.types,
                slots=free,
                worker_id=self.presence.id,
                worker_name=self.presence.name,
            ):
                attempt = Attempt(claimed)
                self.attempts[claimed.token] = attempt
                self.thread_slots.start(attempt)
                free, taken = free - 1, True
            if free == 0:
                break
        return taken

    def served_queues(self) -> list[str]:
        """The queues to ask, and listen to; `*` is every queue that any organisation has used."""
        names = self.queues
        if ALL_QUEUES in names:
            names = sorted(set(Queue.objects.values_list("name", flat=True)) | {"default"})
        self.listener.listen([work_channel(name) for name in names] + [command_channel(self.presence.id)])
        return names

    def receive(self) -> None:
        """Take the notifications that ended the sleep: new work needs no more, a command does."""
        for channel, word in self.listener.received():
            if channel == command_channel(self.presence.id):
                self.ticker.hurry(word)

    def sockets(self) -> list[object]:
        return list(self.listener.sockets())

    # --- ends of attempts ---------------------------------------------------------------------------------------

    def on_end(self, attempt: Attempt, ended: Ended) -> None:
        """Called by a slot's thread; wakes the loop, which writes it at once if it was idle."""
        self.ends.put((attempt, ended))
        self.wake()

    def settle(self) -> bool:
        """Write all ends there are in one statement; kept for the next step when the database is away."""
        while not self.ends.empty():
            attempt, ended = self.ends.get()
            if attempt.abandoned:
                self.stuck -= 1
            else:
                self.unsettled.append((attempt, ended))
        if not self.unsettled:
            return False
        batch = self.unsettled
        flush(attempt.reporter for attempt, _ in batch)
        settled = self.finish_batch([ended for _, ended in batch])
        for attempt, _ in batch:
            claimed = attempt.claimed
            self.attempts.pop(claimed.token, None)
            if (claimed.job_id, claimed.attempt) in settled:
                self.presence.jobs_processed += 1
            else:
                log.warning("fenced", extra={"job": str(claimed.job_id), "attempt": claimed.attempt})
        self.unsettled = []
        return True

    def finish_batch(self, ends: list[Ended]) -> set[tuple[UUID, int]]:
        """(job, attempt) of those that were still ours. An end the database refuses must not hold up the others."""
        try:
            rows = finish(ends, worker_name=self.presence.name)
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:
            log.exception("an end was refused")
            if len(ends) > 1:
                return set().union(*(self.finish_batch([end]) for end in ends))
            refused = Ended(
                ends[0].claimed, Outcome.ERROR, error_type="BadResult", error="The result cannot be stored."
            )
            rows = finish([refused], worker_name=self.presence.name)
        return {(row.job_id, row.attempt) for row in rows}

    # --- in the ticker's thread ---------------------------------------------------------------------------------

    def renew_leases(self) -> None:
        """Keep what is being worked on; stop what a person cancelled, and what has passed to another."""
        attempts = dict(self.attempts)
        if not attempts:
            return
        renewed = renew(worker_id=self.presence.id, tokens=list(attempts))
        for token, attempt in attempts.items():
            if token in renewed.cancelled:
                attempt.context.stop(StopReason.CANCELLED)
            elif token not in renewed.held and token in self.attempts:
                attempt.context.stop(StopReason.LEASE_LOST)

    def stop_overdue(self) -> None:
        """Ask attempts past their timeout to end; end those that do not listen without them."""
        for attempt in list(self.attempts.values()):
            context = attempt.context
            overrun = time.monotonic() - context.started - context.timeout_seconds
            if overrun > 0:
                context.stop(StopReason.TIMEOUT)
            if overrun > STOP_GRACE_SECONDS and not attempt.abandoned:
                self.abandon_attempt(attempt)

    def abandon_attempt(self, attempt: Attempt) -> None:
        """Its thread cannot be killed: the job goes on elsewhere, the slot is lost until the thread returns."""
        log.warning("handler does not stop", extra={"job": str(attempt.claimed.job_id)})
        self.ends.put((attempt, attempt.stopped()))
        attempt.abandoned = True
        self.wake()

    def flush_reports(self) -> None:
        flush([attempt.reporter for attempt in list(self.attempts.values())])

    # --- the end ------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Finish within the grace; then ask the rest to stop, and give back what they had without burning a try."""
        self.presence.status = WorkerProcess.DRAINING
        self.ticker.hurry("beat")
        self.settle_until(time.monotonic() + settings.DRAIN_GRACE_SECONDS)
        for attempt in list(self.attempts.values()):
            attempt.context.stop(StopReason.DRAIN)
        self.settle_until(time.monotonic() + RELEASE_GRACE_SECONDS)
        for attempt in list(self.attempts.values()):
            attempt.context.stop(StopReason.DRAIN)
            self.unsettled.append((attempt, Ended(attempt.claimed, Outcome.RELEASED)))
        self.guarded_settle()

    def settle_until(self, end: float) -> None:
        while self.attempts and time.monotonic() < end:
            if not self.guarded_settle():
                self.sleep(min(0.2, max(end - time.monotonic(), 0)))

    def guarded_settle(self) -> bool:
        try:
            return self.settle()
        except DatabaseError:
            log.exception("could not write ends while draining")
            self.forget_connection()
            return False

    def abandon(self) -> None:
        for attempt in list(self.attempts.values()):
            attempt.context.stop(StopReason.DRAIN)

    def close(self) -> None:
        self.ticker.stop()
        self.listener.close()
        try:
            self.presence.leave()
        except DatabaseError:
            log.warning("could not say goodbye; the heartbeat will run out")
        super().close()
        log.info("worker stopped", extra={"jobs_processed": self.presence.jobs_processed})
