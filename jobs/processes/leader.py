"""Who of the schedulers may act: an advisory lock decides, a term's epoch fences every write.

The lock is held by a session of its own, used every LEADER_PING_SECONDS. When that session is gone so is the lead.
A standby that finds the session silent for LEADER_SILENT_SECONDS (host lost, process stopped, network cut without a
word) ends it, and takes the lock: no TCP timeout has to be waited for. Being wrong about that is harmless: the former
leader's writes carry its epoch, and its term is closed.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import transaction

from jobs.errors import NotLeader
from jobs.processes.listener import open_session
from jobs.processes.presence import Presence
from jobs.queue import sql

log = logging.getLogger(__name__)

LOCK = (0x5351, 1)
# The session of a leader is ended by a standby; where there is none, by the server, a little later.
IDLE_FACTOR = 3
TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
# state_change moves with every ping; ending a session of one's own role needs no special right. It is waited for a
# moment, so that the lock can be taken in the same breath.
END_SILENT_HOLDER = """
    SELECT pg_terminate_backend(holder.pid, 250)
    FROM pg_locks AS lock
    JOIN pg_stat_activity AS holder USING (pid)
    WHERE lock.locktype = 'advisory' AND lock.granted AND lock.classid = %s AND lock.objid = %s AND lock.objsubid = 2
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      -- one that waits to open its term is not silent
      AND holder.wait_event_type IS DISTINCT FROM 'Lock'
      AND holder.state_change < clock_timestamp() - make_interval(secs => %s)
"""
OPEN_TERM = """
    INSERT INTO jobs_leaderterm (process_id, hostname, pid, elected_at, beat_at)
    VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp()) RETURNING epoch
"""


class Leadership(threading.Thread):
    """Stands for election and, once elected, keeps the lead; `epoch` is None while another leads."""

    def __init__(self, presence: Presence, on_elected: Callable[[], None]) -> None:
        super().__init__(name="leadership", daemon=True)
        self.presence = presence
        self._on_elected = on_elected
        self._session: psycopg.Connection | None = None
        self._epoch: int | None = None
        self._pinged = 0.0
        self._stopping = threading.Event()

    @property
    def epoch(self) -> int | None:
        """The epoch we lead in. Without a ping for as long as others wait, we no longer believe it ourselves."""
        if time.monotonic() - self._pinged > settings.LEADER_SILENT_SECONDS:
            return None
        return self._epoch

    def run(self) -> None:
        while not self._stopping.wait(settings.LEADER_PING_SECONDS):
            self.tick()
        self.resign()

    def tick(self) -> None:
        """One ping as leader, or one try to become it."""
        try:
            if self._session is None:
                # stopped with nobody to follow, it keeps the lock no longer than this either
                self._session = open_session(idle_seconds=IDLE_FACTOR * settings.LEADER_SILENT_SECONDS)
            asked_at = time.monotonic()
            if self._epoch is None:
                self.stand(self._session)
            else:
                self._session.execute("SELECT 1")
                # from before the question: that is what the server counts from
                self._pinged = asked_at
        except psycopg.Error as error:
            self.step_down(str(error).strip())
        except Exception:
            log.exception("standing for leader failed")
            self.step_down("an error")

    def stand(self, session: psycopg.Connection) -> None:
        """Try for the lock; when its holder is silent, end the holder's session and try again."""
        if not self.try_lock(session):
            if not session.execute(END_SILENT_HOLDER, (*LOCK, settings.LEADER_SILENT_SECONDS)).fetchall():
                return
            log.warning("the leader was silent; its session was ended")
            if not self.try_lock(session):
                return
        with session.transaction():
            session.execute(sql.statement("open_term").text)
            me = self.presence
            row = session.execute(OPEN_TERM, (me.id, me.hostname[:128], me.pid)).fetchone()
        self._pinged, self._epoch = time.monotonic(), row[0] if row else None
        log.info("leading", extra={"epoch": self._epoch})
        self._on_elected()

    def try_lock(self, session: psycopg.Connection) -> bool:
        row = session.execute(TRY_LOCK, LOCK).fetchone()
        return bool(row and row[0])

    def step_down(self, why: str) -> None:
        """At once: the lock's session is the lead."""
        if self._epoch is not None:
            log.warning("no longer leading", extra={"epoch": self._epoch, "why": why})
        self._epoch = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def resign(self) -> None:
        """Close the term and let the lock go, so that a standby leads at once."""
        try:
            if self._session is not None and self._epoch is not None:
                self._session.execute(
                    "UPDATE jobs_leaderterm SET ended_at = clock_timestamp() WHERE epoch = %s AND ended_at IS NULL",
                    (self._epoch,),
                )
        except psycopg.Error:
            log.warning("could not close the term; the next leader will")
        self.step_down("resigned")

    def stop(self) -> None:
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=5)


@contextmanager
def fenced(epoch: int) -> Iterator[None]:
    """A transaction whose writes count only while this term is open; raises NotLeader when it is not.

    The next leader closes the term FOR UPDATE, which waits for our FOR KEY SHARE: two terms never overlap.
    """
    with transaction.atomic():
        if not sql.run("share_term", epoch=epoch, idle_milliseconds=int(settings.LEADER_SILENT_SECONDS * 1000)):
            raise NotLeader
        yield
