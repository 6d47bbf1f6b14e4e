"""Sends what is due to subscribers: in every scheduler, whoever leads, in threads and on a connection of its own.

One thread asks the database, the others only the network: what they found out comes back to it to be written. A
process that dies in between has said nothing, and after a while another sends the same again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection

from jobs.delivery import mail
from jobs.delivery.letters import Digest, Letter, Report
from jobs.delivery.post import errand, post
from jobs.handlers.base import Context, StopReason
from jobs.queue.deliveries import claim, claim_mail, in_hand, note, note_mail

log = logging.getLogger(__name__)

RECOVERY_SECONDS = 1.0
# When told to stop: until requests under way are broken off, and for what they then say.
GRACE_SECONDS = 2.0
LAST_WORDS_SECONDS = 1.0
# Mails at a time: a mail server that hangs takes no more threads than these.
MAIL_SLOTS = 4
MAIL_EVERY_SECONDS = 1.0

Sent = tuple[Letter | Digest, Report]


class Courier(threading.Thread):
    """Takes no more than it can send at once, and of one webhook no more than its share."""

    def __init__(self) -> None:
        super().__init__(name="courier", daemon=True)
        self.letters: dict[UUID, tuple[Letter, Context]] = {}
        self.digests: set[UUID] = set()
        # Their last try took its time and brought nothing: one request at a time until one works.
        self.troubled: set[UUID] = set()
        self._sent: queue.SimpleQueue[Sent | None] = queue.SimpleQueue()
        self._unwritten: list[Sent] = []
        self._mail_due = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            if not self.guarded(self.step):
                self.collect(settings.DELIVERY_POLL_SECONDS)
        self.drain()
        connection.close()

    def guarded(self, act: Callable[[], bool]) -> bool:
        """What raises is logged and slept on; what was not written is still in hand."""
        try:
            return act()
        except Error as error:
            log.warning("database trouble", extra={"error": str(error).strip()})
            connection.close()
        except Exception:
            log.exception("a delivery step failed")
        self._stopping.wait(RECOVERY_SECONDS)
        return False

    def step(self) -> bool:
        """Write what is known of those sent, and send what is due; whether anything was sent."""
        self.write()
        return self.send_letters() | self.send_mail()

    def send_letters(self) -> bool:
        free = settings.DELIVERY_SLOTS - len(self.letters)
        taken = claim(slots=free, room=self.room()) if free > 0 else []
        for letter in taken:
            context = errand(letter)
            self.letters[letter.id] = letter, context
            self.carry(letter, partial(post, letter, context))
        return bool(taken)

    def room(self) -> dict[UUID, int]:
        """For whom there is less than WEBHOOK_SLOTS."""
        counts = in_hand([letter for letter, _ in self.letters.values()])
        limits = dict.fromkeys(counts, settings.WEBHOOK_SLOTS) | dict.fromkeys(self.troubled, 1)
        return {webhook: max(most - counts.get(webhook, 0), 0) for webhook, most in limits.items()}

    def send_mail(self) -> bool:
        if len(self.digests) >= MAIL_SLOTS or time.monotonic() < self._mail_due:
            return False
        digest = claim_mail()
        if digest is None:
            self._mail_due = time.monotonic() + MAIL_EVERY_SECONDS
            return False
        self.digests.add(digest.subscriber_id)
        self.carry(digest, partial(mail.send, digest))
        return True

    def carry(self, what: Letter | Digest, send: Callable[[], Report]) -> None:
        """In a thread of its own, which no end of the process waits for: there is an answer whatever happens."""

        def go() -> None:
            try:
                report = send()
            except Exception as error:
                log.exception("a delivery could not be tried")
                report = Report(error=f"A fault of ours: {type(error).__name__}.")
            self._sent.put((what, report))

        threading.Thread(target=go, name="delivery", daemon=True).start()

    def collect(self, seconds: float) -> None:
        """Wait for something that was sent, or for stop(); take in what there is."""
        try:
            first = self._sent.get(timeout=seconds)
            while True:
                if first is not None:
                    self._unwritten.append(first)
                first = self._sent.get_nowait()
        except queue.Empty:
            return

    def write(self) -> None:
        self.collect(0)
        while self._unwritten:
            what, report = self._unwritten[0]
            try:
                note(what, report) if isinstance(what, Letter) else note_mail(what, report)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                # it will be due again
                log.exception("what came of a delivery was not written")
            self._unwritten.pop(0)
            self.landed(what, report)

    def landed(self, what: Letter | Digest, report: Report) -> None:
        if isinstance(what, Digest):
            self.digests.discard(what.subscriber_id)
            return
        self.letters.pop(what.id, None)
        if report.delivered:
            self.troubled.discard(what.subscriber_id)
        elif report.status is None and not report.stopped:
            self.troubled.add(what.subscriber_id)

    def drain(self) -> None:
        """Let what is under way end; what does not is broken off and given back."""
        self.wait_until(time.monotonic() + GRACE_SECONDS)
        for _, context in list(self.letters.values()):
            context.stop(StopReason.DRAIN)
        self.wait_until(time.monotonic() + LAST_WORDS_SECONDS)

    def wait_until(self, moment: float) -> None:
        while (self.letters or self.digests) and (left := moment - time.monotonic()) > 0:
            self.collect(min(left, 0.1))
            if not self.guarded(self.written):
                return

    def written(self) -> bool:
        self.write()
        return True

    def stop(self) -> None:
        self._stopping.set()
        self._sent.put(None)
        if self.is_alive():
            self.join(timeout=GRACE_SECONDS + 2 * LAST_WORDS_SECONDS)
