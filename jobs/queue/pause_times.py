"""Until when something is paused."""

from datetime import datetime, timedelta

from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from jobs.errors import InvalidPause
from jobs.models import Pause, Queue

# What a pause of a queue sets.
PAUSE_FIELDS = ("paused_at", "paused_by", "pause_reason", "resume_at")
LONGEST = timedelta(days=366)

# A time, or so long from now on by the database's clock; None: until a person ends it.
Until = datetime | timedelta | None


def end_of(until: Until) -> datetime | Combinable | None:
    """Raises InvalidPause for what is over already, or too far."""
    if not isinstance(until, timedelta):
        return until
    if not timedelta(0) < until <= LONGEST:
        raise InvalidPause([("/resume_in_seconds", "More than 0, and a year at most.")])
    return Now() + until


def refuse_past(paused: Queue | Pause) -> None:
    """Raise InvalidPause for an end before the beginning, as it is in the database."""
    if paused.resume_at and paused.paused_at and not timedelta(0) < paused.resume_at - paused.paused_at <= LONGEST:
        raise InvalidPause([("/resume_at", "Later than now, and within a year.")])
