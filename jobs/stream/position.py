"""Which process sends to a receiver, and how far it has come: kept in a row, changed by guarded statements."""

import time
from uuid import uuid4

from django.conf import settings

from jobs.errors import StreamLost
from jobs.models import StreamPosition
from jobs.queue import sql
from orgs.settled import Settled


class Hold:
    """The right to send to one receiver. Whoever lost it learns so with the next statement, and moves nothing on.

    One that was stopped and goes on later may still send what it had in hand. It began no later than whoever took over,
    and sends in order: so each event comes first after the one before it, and what comes again is dropped by its id.
    """

    def __init__(self, name: str, *, from_start: bool = False) -> None:
        self.name, self.from_start = name, from_start
        self.holder = uuid4()
        self.position: int | None = None
        self.settled = Settled("jobs_transition")
        self._renew_at = 0.0

    def take(self) -> bool:
        """Whether it is ours; then `position` says where the receiver is."""
        if self.position is None or time.monotonic() >= self._renew_at:
            asked_at = time.monotonic()
            found = sql.run("hold_stream", **self.said)
            self.position = found[0].position if found else None
            if not found and not self.begin():
                return False
            self._renew_at = asked_at + settings.STREAM_LEASE_SECONDS / 3
        return self.position is not None

    def begin(self) -> bool:
        """Where the receiver was never told anything; whether it is ours now."""
        if StreamPosition.objects.filter(name=self.name).exists():
            return False
        upto = 0 if self.from_start else self.settled.upto(0)
        # 0 where nothing ever moved, or where somebody still writes who came first
        if not upto and self.settled.mark:
            return False
        sql.run("begin_stream", sink=self.name, position=upto)
        found = sql.run("hold_stream", **self.said)
        self.position = found[0].position if found else None
        return bool(found)

    def keep(self) -> None:
        """Called while a broker lets us wait. Raises StreamLost."""
        if not self.take():
            raise StreamLost

    def upto(self) -> int:
        """Up to this move there will never be another. Raises StreamLost."""
        if self.position is None:
            raise StreamLost
        return self.settled.upto(self.position)

    def advance(self, upto: int) -> None:
        """All up to this move was acknowledged. Raises StreamLost."""
        asked_at = time.monotonic()
        if not sql.run("advance_stream", after=self.position, upto=upto, **self.said):
            self.position = None
            raise StreamLost
        self.position, self._renew_at = upto, asked_at + settings.STREAM_LEASE_SECONDS / 3

    def release(self) -> None:
        if self.position is not None:
            self.position = None
            sql.run("release_stream", sink=self.name, holder=self.holder)

    @property
    def said(self) -> dict[str, object]:
        return {"sink": self.name, "holder": self.holder, "seconds": settings.STREAM_LEASE_SECONDS}
