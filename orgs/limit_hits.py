"""How often each limit refused something, by organisation and day.

What is refused is taken back, and what counts it must not be: so it is counted in the process, and a thread with a
session of its own adds it to the table, at most once in LIMIT_HITS_SECONDS. A flood of refusals costs each an addition
in memory. A process that is killed takes what it counted since with it.
"""

import atexit
import logging
import os
import threading
from collections import Counter
from datetime import UTC, timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now, TruncDate

from orgs.models import LimitHit, Org

log = logging.getLogger(__name__)

DAYS_SHOWN = 30
DAYS_KEPT = 90
# An organisation that is gone by now has nothing to be told.
ADD = """
INSERT INTO orgs_limithit AS known (org_id, name, day, hits)
SELECT org.id, one.name, (now() AT TIME ZONE 'UTC')::date, one.hits
FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS one (org_id, name, hits)
JOIN orgs_org AS org ON org.id = one.org_id
ORDER BY org.id, one.name
ON CONFLICT (org_id, day, name) DO UPDATE SET hits = known.hits + excluded.hits
"""
FORGET = """
DELETE FROM orgs_limithit
WHERE id = ANY (ARRAY(
    SELECT id FROM orgs_limithit WHERE day < (now() AT TIME ZONE 'UTC')::date - %s LIMIT %s FOR UPDATE SKIP LOCKED))
"""


class Counts:
    """Of this process: what is not in the table yet, and the thread that will put it there."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hits: Counter[tuple[int, str]] = Counter()
        self.timer: threading.Timer | None = None


counts = Counts()


def note(org_id: int, limit: str, hits: int = 1) -> None:
    """That a limit refused something. Asks the database nothing."""
    with counts.lock:
        counts.hits[org_id, limit] += hits
        if counts.timer is None and settings.LIMIT_HITS_SECONDS:
            counts.timer = threading.Timer(settings.LIMIT_HITS_SECONDS, add_aside)
            counts.timer.daemon = True
            counts.timer.start()


def add_aside() -> None:
    """add(), in a thread that nobody else uses the database in."""
    with counts.lock:
        counts.timer = None
    try:
        add()
    except Exception:
        # they stay counted, and go with the next
        log.exception("hits of limits were not added")
    finally:
        connection.close()


def add() -> None:
    """Add what this process has counted to the table."""
    with counts.lock:
        taken, counts.hits = counts.hits, Counter()
    if not taken:
        return
    org_ids, limits = zip(*taken, strict=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(ADD, [list(org_ids), list(limits), list(taken.values())])
    except BaseException:
        with counts.lock:
            counts.hits.update(taken)
        raise


def at_exit() -> None:
    if counts.hits and settings.LIMIT_HITS_SECONDS:
        add_aside()


def forked() -> None:
    """What the parent has counted is the parent's to add."""
    global counts
    counts = Counts()


atexit.register(at_exit)
os.register_at_fork(after_in_child=forked)


def lately(org: Org) -> list[LimitHit]:
    """Of the last DAYS_SHOWN days, today among them; the newest first."""
    rows = LimitHit.objects.filter(org=org, day__gt=TruncDate(Now() - timedelta(days=DAYS_SHOWN), tzinfo=UTC))
    return list(rows.order_by("-day", "name"))


def forget_old(batch: int) -> bool:
    """Delete a bounded batch of what is older than DAYS_KEPT; whether there is more."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [DAYS_KEPT, batch])
        return bool(cursor.rowcount == batch)
