"""The leader's share of learning from corrections: a process for each organisation that is due, one at a time.

In a process of its own, so that fitting takes neither the lead's processor time nor its memory; what it stores is one
transaction, and of two for one organisation the second finds that another is at it.
"""

import logging
import time

from django.conf import settings

from jobs.processes.aside import Aside
from jobs.queue import sql
from orgs.models import Org

log = logging.getLogger(__name__)

# How long a process may take to begin and to store, beyond the fitting; and how long one that failed is put off.
GRACE_SECONDS = 60.0
PUT_OFF_SECONDS = 300.0
# Looked at for one that is not put off.
MOST_DUE = 100


class LabelLearner:
    """A chore: begins a process where one is due, and sees to its end. It waits for none."""

    def __init__(self) -> None:
        self.aside: Aside | None = None
        self.org_id = 0
        self.put_off: dict[int, float] = {}

    def __call__(self) -> None:
        if self.aside is not None:
            if not self.aside.over:
                return
            self.settle(self.aside)
        if (org := self.due()) is not None:
            seconds = 3 * settings.LABELS_MAX_SECONDS + GRACE_SECONDS
            self.org_id, self.aside = org.pk, Aside("learn_labels", "--org", org.slug, seconds=seconds)

    def due(self) -> Org | None:
        now = time.monotonic()
        rows = sql.run(
            "due_labels", quiet_seconds=settings.LABELS_QUIET_SECONDS, each=settings.LABELS_EACH, batch=MOST_DUE
        )
        found = [row.org_id for row in rows if self.put_off.get(row.org_id, 0.0) <= now]
        return Org.objects.filter(pk=found[0]).first() if found else None

    def settle(self, aside: Aside) -> None:
        """One that failed is put off."""
        if (status := aside.end()) != 0:
            log.warning("learning from corrections failed", extra={"org": self.org_id, "status": status})
            self.put_off[self.org_id] = time.monotonic() + PUT_OFF_SECONDS
        self.aside = None

    def close(self) -> None:
        """What it has stored, it has; the next leader begins anew."""
        if self.aside is not None:
            self.aside.end()
            self.aside = None
