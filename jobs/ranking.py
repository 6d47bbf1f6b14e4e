"""What a prediction does to a job's place in the queue. Pure functions of numbers.

Rank, the lowest first: base + lead * stretch, one stored number that never has to be computed again.

- The lead is the wait that a job would have first come, first served, in its organisation's share of the workers: the
  predicted seconds of what its organisation has in front of it, over the rate of that share. Base and lead are a start
  tag (start-time fair queueing: Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248157.248171).
- The stretch is what prediction, urgency and policy make of the wait: below one for what is shorter than usual in the
  queue, above one for what is longer, within 1 / STRETCH and STRETCH.
- The base is now, or the lowest rank that waits in the queue where that is in the past (the virtual time of start-time
  fair queueing): an organisation within its share is next, however far a flood has fallen behind its own tags.

The bound. A job with a lead of l ranks at most STRETCH * l after its base. No base is below the lowest rank that waits, so
that one never falls and no job ranks before all that is there: whatever arrives, the lowest rank passes every job's at
last, and nothing starves. What comes later and passes the job ranks before it, so its own lead, which is all the work of
its organisation over the rate of its share, is below STRETCH times what is left: at most STRETCH^2 * l. In a queue that
keeps up with its ranks (the base is now) nothing passes the job after t + STRETCH * l; what passes it at u is part of a
lead of at most (t + STRETCH * l - u) * STRETCH, and done with all the rest by t + STRETCH^2 * l. So no job waits more than
STRETCH^2 times its first come, first served wait in its organisation's share: as far as predictions and shares come true,
and beside the LEAD_MIN that every lead counts for and the runs that are in hand, which are not broken off.
"""

import math
from typing import NamedTuple

from django.conf import settings

POLICIES = ("learned", "fifo", "priority")
# A neutral job: priority 0.5 is a prediction of this many milliseconds.
PRIORITY_SCALE_MS = 3000.0
# Anything shorter is taken for this: 1 / (1 + 1e-14) would be 1.0.
SHORTEST_MS = 1.0
# urgency multiplies the prediction
URGENCY_FACTOR = {"high": 1 / 8, "medium": 1.0, "low": 8.0}
# Of ln ms: where all jobs are predicted alike, the difference of a tenth is none.
LEAST_SPREAD = 0.1
# By so many submits of an organisation, what is usual in the whole queue counts for what is usual with it.
USUAL_DOUBT = 20


class Tuning(NamedTuple):
    """How one job is ranked among those of its organisation in its queue."""

    tau_seconds: float  # its lead
    typical_ms: float  # geometric mean of what is predicted for its organisation in the queue
    rate: float  # predicted seconds of work that its organisation's share does in a second
    spread: float = 1.0  # standard deviation of ln ms of the same


def priority(predicted_ms: float) -> float:
    """1 / (1 + ms / 3000), in (0, 1): short jobs near 1."""
    return 1.0 / (1.0 + max(predicted_ms, SHORTEST_MS) / PRIORITY_SCALE_MS)


def stretch(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    """What the lead is multiplied by, within 1 / STRETCH and STRETCH; 1 for a usual job, and for all under fifo."""
    if policy == "fifo":
        return 1.0
    weighed_ms = max(predicted_ms, SHORTEST_MS) * URGENCY_FACTOR[urgency]
    limit = math.log(settings.RANK_STRETCH)
    if policy == "priority":
        return math.exp(limit * (1.0 - 2.0 * priority(weighed_ms)))
    power = settings.RANK_POWER / max(tuning.spread, LEAST_SPREAD)
    distance = power * math.log(weighed_ms / max(tuning.typical_ms, SHORTEST_MS))
    return math.exp(min(max(distance, -limit), limit))


def tau_of(policy: str, lead_seconds: float) -> float:
    """What is stretched: the lead, and no less than LEAD_MIN where it is not the order of arrival that counts."""
    return lead_seconds if policy == "fifo" else max(lead_seconds, settings.RANK_LEAD_MIN_SECONDS)


def rank_offset(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    """Seconds after the base, within tau / STRETCH and tau * STRETCH: the lead, stretched."""
    return tuning.tau_seconds * stretch(policy, predicted_ms, urgency, tuning)


def shrunk(own: float, whole: float, submits: int) -> float:
    """A mean or variance of an organisation, drawn to that of the whole queue while it has few submits."""
    return (submits * own + USUAL_DOUBT * whole) / (submits + USUAL_DOUBT)


def lead_after(lead_seconds: float, predicted_ms: float, rate: float) -> float:
    """The lead of the job that comes next, at the same moment."""
    return lead_seconds + predicted_ms / 1000.0 / rate


def base(now: float, lowest_waiting: float) -> float:
    """Where ranks begin, in the clock of both; `lowest_waiting` is the lowest rank in the queue, or infinite."""
    return min(now, lowest_waiting)
