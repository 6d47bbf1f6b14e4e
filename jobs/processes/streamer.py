"""Sends the event stream to one receiver: what it acknowledged is passed, and nothing else ever is."""

import logging

from django.conf import settings
from django.db import Error

from jobs.errors import StreamLost
from jobs.processes.loop import Loop
from jobs.stream.events import read
from jobs.stream.position import Hold
from jobs.stream.sinks import Sink

log = logging.getLogger(__name__)


class Stopped(Exception):
    """It was told to stop while a broker let it wait."""


class Streamer(Loop):
    """Any number may run for one receiver: one sends, the others wait to."""

    def __init__(self, sink: Sink, *, from_start: bool = False) -> None:
        super().__init__(idle_seconds=settings.STREAM_POLL_SECONDS)
        self.sink = sink
        self.hold = Hold(sink.name, from_start=from_start)
        self.leads = False

    def step(self) -> bool:
        try:
            self.notice(self.hold.take())
            return self.leads and self.send_some()
        except StreamLost:
            self.notice(False)
        except Stopped:
            log.info("stopped while events were on their way: they are sent again", extra={"sink": self.sink.name})
        return False

    def send_some(self) -> bool:
        """The next piece of the stream; whether there was one."""
        after, upto = self.hold.position, self.hold.upto()
        assert after is not None
        if upto <= after:
            return False
        piece = read(after=after, upto=upto, batch=settings.STREAM_BATCH)
        if piece.events:
            self.sink.send(piece.events, self.keep)
        self.hold.advance(piece.upto)
        return True

    def keep(self) -> None:
        """Raises Stopped, StreamLost."""
        if self.stopping:
            raise Stopped
        try:
            self.hold.keep()
        except Error as error:
            # a broker is not given up because the database is away, too: that is seen when the position is moved on
            log.warning("database trouble while sending", extra={"error": str(error).strip()})
            self.forget_connection()

    def notice(self, leads: bool) -> None:
        if leads != self.leads:
            self.leads = leads
            log.info("sending the stream" if leads else "another sends the stream", extra={"sink": self.sink.name})

    def drain(self) -> None:
        try:
            self.hold.release()
        except Error:
            log.warning("could not let the stream go; another goes on when the hold is over")

    def close(self) -> None:
        self.sink.close()
        super().close()
