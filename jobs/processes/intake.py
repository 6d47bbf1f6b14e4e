"""Submits what comes from a source of jobs: each message once, by its key; what passes by itself is waited for."""

import logging
from collections import deque

from django.core.exceptions import PermissionDenied

from jobs.errors import QueueFull
from jobs.intake.messages import Caller, KeyNotGood, Refused, caller, submit
from jobs.intake.sources import Message, Source
from jobs.processes.loop import Loop
from jobs.stream.patience import Patience
from orgs import audit
from orgs.errors import RateLimited

log = logging.getLogger(__name__)

# A source waits for messages itself.
IDLE_SECONDS = 0.05


class Stopped(Exception):
    """It was told to stop while a message waited for room."""


class Intake(Loop):
    """What it has in hand when it ends was not acknowledged: it comes again, to whoever runs then."""

    def __init__(self, source: Source) -> None:
        super().__init__(idle_seconds=IDLE_SECONDS)
        self.source = source
        self.hand: deque[Message] = deque()
        # Stored or refused, and not yet acknowledged.
        self.finished: list[Message] = []
        self.patience = Patience()

    def step(self) -> bool:
        """Whether there was a message."""
        if not self.hand and not self.finished:
            self.hand.extend(self.source.take())
        if not self.hand and not self.finished:
            return False
        try:
            while self.hand:
                self.take_in(self.hand[0])
                self.finished.append(self.hand.popleft())
        except Stopped:
            log.info("stopped with messages in hand: they come again", extra={"messages": len(self.hand)})
        if self.finished:
            self.source.done(self.finished)
            self.finished = []
        return True

    def take_in(self, message: Message) -> None:
        """Until it is stored or refused. Raises Stopped, and what the database or the broker does."""
        while True:
            self.source.keep(self.hand)
            try:
                by = caller(self.source.token)
                self.stored(message, by)
            except (QueueFull, RateLimited) as error:
                self.wait(str(error), float(getattr(error, "wait", 0)))
            except KeyNotGood:
                self.wait("the key is not good, or not any more: a submit takes one of an operator", 5.0)
            except PermissionDenied as error:
                self.wait(str(error), 5.0)
            else:
                self.patience.over()
                return

    def stored(self, message: Message, by: Caller) -> None:
        try:
            created = submit(message, by)
            log.info(
                "submitted" if created else "was there", extra={"source": self.source.name, "message_id": message.id}
            )
        except Refused as refused:
            self.source.refuse(message, refused.why)
            # where in it, and what kind of fault: a sentence may quote what was sent
            why = [{"pointer": one["pointer"], "code": one["code"]} for one in refused.why]
            audit.record(
                "message.refuse",
                org=by.scope.org,
                actor=by.scope.user,
                target=message.id,
                request=by.request,
                source=self.source.name,
                why=why,
            )
            log.warning("refused", extra={"source": self.source.name, "message_id": message.id, "why": why})

    def wait(self, why: str, least: float) -> None:
        log.warning("a message waits", extra={"source": self.source.name, "why": why})
        self.patience.wait(self.keep, least=least)

    def keep(self) -> None:
        """Raises Stopped."""
        if self.stopping:
            raise Stopped
        self.source.keep(self.hand)

    def close(self) -> None:
        self.source.close()
        super().close()
