"""Where calls wait for something to come: one look at the database for all of a web process, a few times a second.

A call that waits holds a thread of the web, so only a few may; it holds no connection
(docs/decisions/0012-long-polls.md). Own workers wait for a job, and people for a job to move on, each in a room of
their own: neither takes the other's places.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error, connection

from jobs.queue.external import Puller, seen_alive, waiting
from jobs.queue.marks import marks

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2


class Waiting:
    """One call; `woken` is set when there may be something for it."""

    def __init__(self) -> None:
        self.woken = threading.Event()


class Waiter(Waiting):
    """A worker that waits for a job of its queues."""

    def __init__(self, puller: Puller, queues: Sequence[str]) -> None:
        super().__init__()
        self.puller = puller
        self.queues = queues


class JobWaiter(Waiting):
    """Somebody who waits for a job to move on from `mark`; the first look wakes him, to see where it is."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id
        self.mark: str | None = None


Guest = TypeVar("Guest", bound=Waiting)


class WaitingRoom(Generic[Guest]):
    """Its thread lives while somebody waits. `look` is given all of them, and how many looks there were before."""

    def __init__(self, places: Callable[[], int], look: Callable[[Sequence[Guest], int], None]) -> None:
        self._places = places
        self._look = look
        self._lock = threading.Lock()
        self._waiters: list[Guest] = []
        self._watched = False
        self._pause = threading.Event()

    def enter(self, waiter: Guest) -> bool:
        """False when there is no room: the others in this process have work to do."""
        with self._lock:
            if len(self._waiters) >= self._places():
                return False
            self._waiters.append(waiter)
            if not self._watched:
                self._watched = True
                threading.Thread(target=self.watch, name="waiting-room", daemon=True).start()
        return True

    def leave(self, waiter: Guest) -> None:
        with self._lock:
            self._waiters.remove(waiter)

    def watch(self) -> None:
        looks = 0
        try:
            while waiters := self.present():
                looks += 1
                try:
                    self._look(waiters, looks)
                except Error:
                    # their time will pass, and they ask again
                    log.exception("could not look for those who wait")
                    connection.close()
                self._pause.wait(LOOK_SECONDS)
        finally:
            connection.close()

    def present(self) -> list[Guest]:
        """Who waits; when nobody does, the next to come starts a thread anew."""
        with self._lock:
            self._watched = bool(self._waiters)
            return list(self._waiters)


def look_for_work(waiters: Sequence[Waiter], looks: int) -> None:
    """Wake the workers for whom there may be a job, and keep all of them alive."""
    asked = [(waiter, queue) for waiter in waiters for queue in waiter.queues]
    org_ids = [waiter.puller.org_id for waiter, _ in asked]
    for place in waiting(org_ids, [queue for _, queue in asked]):
        asked[place][0].woken.set()
    # a little more seldom than heartbeats are due, so that none is passed over as too early
    if looks % (max(round(settings.HEARTBEAT_SECONDS / LOOK_SECONDS), 1) + 1) == 0:
        seen_alive([waiter.puller.id for waiter in waiters])


def look_at_jobs(waiters: Sequence[JobWaiter], looks: int) -> None:
    """Wake those whose job is not as they saw it."""
    found = marks({waiter.job_id for waiter in waiters})
    for waiter in waiters:
        if waiter.mark is None or found.get(waiter.job_id) != waiter.mark:
            waiter.woken.set()


waiting_room = WaitingRoom(lambda: settings.WORKER_WAITS, look_for_work)
job_room = WaitingRoom(lambda: settings.JOB_WAITS, look_at_jobs)
