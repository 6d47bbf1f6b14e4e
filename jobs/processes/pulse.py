"""Two files by which a host sees that a process lives, without a database; smartqueue/probe.py reads them.

`<kind>-<pid>.turn` is touched as the loop goes round, `<kind>-<pid>.beat` when the database has the heartbeat. So a
loop that hangs and a database that is away are told apart: only the first is a reason to start the process again.
"""

import logging
import os
import time
from pathlib import Path

log = logging.getLogger(__name__)

TURN, BEAT = "turn", "beat"
# A loop may go round a thousand times a second.
TOUCH_SECONDS = 1.0


class Pulse:
    """Of one process. A folder that cannot be written is said once, and is no reason to stop."""

    def __init__(self, folder: Path, kind: str, pid: int) -> None:
        self.folder = folder
        self.name = f"{kind}-{pid}"
        self.turn_due = 0.0
        self.broken = False

    def turn(self) -> None:
        """The loop goes round."""
        if (now := time.monotonic()) >= self.turn_due:
            self.turn_due = now + TOUCH_SECONDS
            self.touch(TURN)

    def beat(self) -> None:
        """The database has the heartbeat."""
        self.touch(BEAT)

    def end(self) -> None:
        for what in (TURN, BEAT):
            (self.folder / f"{self.name}.{what}").unlink(missing_ok=True)

    def touch(self, what: str) -> None:
        if self.broken:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{self.name}.{what}"
            path.touch()
            os.utime(path)
        except OSError as error:
            self.broken = True
            log.warning("probes will find this process dead", extra={"folder": str(self.folder), "error": str(error)})
