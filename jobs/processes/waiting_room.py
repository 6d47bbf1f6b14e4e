"""Where calls of own workers wait for a job: one look at the database for all of a web process, a few times a second.

A call that waits holds a thread of the web, so only a few may; it holds no connection
(docs/decisions/0012-long-polls.md).
"""

import logging
import threading
from collections.abc import Sequence

from django.conf import settings
from django.db import Error, connection

from jobs.queue.external import Puller, seen_alive, waiting

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2


class Waiter:
    """One call; `woken` is set when there may be something for it."""

    def __init__(self, puller: Puller, queues: Sequence[str]) -> None:
        self.puller = puller
        self.queues = queues
        self.woken = threading.Event()


class WaitingRoom:
    """Its thread lives while somebody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[Waiter] = []
        self._watched = False
        self._pause = threading.Event()

    def enter(self, waiter: Waiter) -> bool:
        """False when there is no room: the others in this process have work to do."""
        with self._lock:
            if len(self._waiters) >= settings.WORKER_WAITS:
                return False
            self._waiters.append(waiter)
            if not self._watched:
                self._watched = True
                threading.Thread(target=self.watch, name="waiting-room", daemon=True).start()
        return True

    def leave(self, waiter: Waiter) -> None:
        with self._lock:
            self._waiters.remove(waiter)

    def watch(self) -> None:
        # a little more seldom than heartbeats are due, so that none is passed over as too early
        looks_a_beat = max(round(settings.HEARTBEAT_SECONDS / LOOK_SECONDS), 1) + 1
        looks = 0
        try:
            while waiters := self.present():
                looks += 1
                try:
                    look(waiters)
                    if looks % looks_a_beat == 0:
                        seen_alive([waiter.puller.id for waiter in waiters])
                except Error:
                    # their time will pass, and the workers ask again
                    log.exception("could not look for those who wait")
                    connection.close()
                self._pause.wait(LOOK_SECONDS)
        finally:
            connection.close()

    def present(self) -> list[Waiter]:
        """Who waits; when nobody does, the next to come starts a thread anew."""
        with self._lock:
            self._watched = bool(self._waiters)
            return list(self._waiters)


def look(waiters: Sequence[Waiter]) -> None:
    """Wake those for whom there may be something."""
    asked = [(waiter, queue) for waiter in waiters for queue in waiter.queues]
    org_ids = [waiter.puller.org_id for waiter, _ in asked]
    for place in waiting(org_ids, [queue for _, queue in asked]):
        asked[place][0].woken.set()


waiting_room = WaitingRoom()
