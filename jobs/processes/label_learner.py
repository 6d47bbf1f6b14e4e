"""The leader's share of learning from corrections: a process for each organisation that is due, one at a time.

In a process of its own, so that fitting takes neither the lead's processor time nor its memory; what it stores is one
transaction, and of two for one organisation the second finds that another is at it.
"""

import logging
import subprocess
import sys
import time

from django.conf import settings

from jobs.queue import sql
from orgs.models import Org

log = logging.getLogger(__name__)

# How long a process may take to begin and to store, beyond the fitting; and how long one that failed is put off.
GRACE_SECONDS = 60.0
PUT_OFF_SECONDS = 300.0
# Looked at for one that is not put off.
MOST_DUE = 100
COMMAND = [sys.executable, str(settings.BASE_DIR / "manage.py"), "learn_labels", "--org"]


class LabelLearner:
    """A chore: begins a process where one is due, and sees to its end. It waits for none."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.org_id = 0
        self.ends_by = 0.0
        self.put_off: dict[int, float] = {}

    def __call__(self) -> None:
        if self.process is not None and not self.ended(self.process):
            return
        if (org := self.due()) is not None:
            self.org_id, self.ends_by = org.pk, time.monotonic() + 3 * settings.LABELS_MAX_SECONDS + GRACE_SECONDS
            self.process = subprocess.Popen([*COMMAND, org.slug], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def due(self) -> Org | None:
        now = time.monotonic()
        rows = sql.run(
            "due_labels", quiet_seconds=settings.LABELS_QUIET_SECONDS, each=settings.LABELS_EACH, batch=MOST_DUE
        )
        found = [row.org_id for row in rows if self.put_off.get(row.org_id, 0.0) <= now]
        return Org.objects.filter(pk=found[0]).first() if found else None

    def ended(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it has, also of one whose time is over; one that failed is put off."""
        if process.poll() is None:
            if time.monotonic() < self.ends_by:
                return False
            process.kill()
            process.wait()
        if process.returncode:
            log.warning("learning from corrections failed", extra={"org": self.org_id, "status": process.returncode})
            self.put_off[self.org_id] = time.monotonic() + PUT_OFF_SECONDS
        self.process = None
        return True

    def close(self) -> None:
        """What it has stored, it has; the next leader begins anew."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
