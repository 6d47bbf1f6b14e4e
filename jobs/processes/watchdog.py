"""The watchdog: takes back leases that ran out, and marks processes whose heartbeat stopped."""

import logging
import time

from django.conf import settings

from jobs.processes.loop import Loop
from jobs.processes.presence import Presence
from jobs.processes.ticker import Chore, Ticker
from jobs.queue import sql
from jobs.queue.lease import rescue

log = logging.getLogger(__name__)

RESCUE_BATCH = 500
# After the database was away: first the workers write what they have finished meanwhile.
PATIENCE_SECONDS = 3.0


class Watchdog(Loop):
    """Any number may run at once: they skip each other's rows."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=settings.WATCHDOG_SECONDS)
        self.presence = Presence("watchdog")
        self.ticker = Ticker([Chore("beat", settings.HEARTBEAT_SECONDS, self.presence.beat)])
        self.rescue_from = 0.0

    def run(self) -> None:
        self.ticker.start()
        super().run()

    def step(self) -> bool:
        if time.monotonic() < self.rescue_from:
            return False
        rescued = rescue(batch=RESCUE_BATCH)
        if rescued:
            self.measures.rescued += rescued
            log.warning("leases taken back", extra={"leases": rescued})
        for process in sql.run("declare_dead", dead_seconds=settings.WORKER_DEAD_SECONDS):
            self.measures.declared_dead += 1
            log.warning("declared dead", extra={"kind": process.kind, "host": process.hostname, "pid": process.pid})
        return rescued == RESCUE_BATCH

    def turned(self) -> None:
        self.presence.pulse.turn()

    def forget_connection(self) -> None:
        """Called when the database was away."""
        self.rescue_from = time.monotonic() + PATIENCE_SECONDS
        super().forget_connection()

    def close(self) -> None:
        self.ticker.stop()
        self.presence.leave()
        super().close()
