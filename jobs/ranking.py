"""What a prediction does to a job's place in the queue. Pure functions of numbers.

Rank, the lowest first: base + lead * stretch, one stored number that never has to be computed again.

- The lead is the wait that a job would have first come, first served, in its organisation's share of the workers: the
  predicted seconds of what its organisation has in front of it, over the rate of that share. Base and lead are a start
  tag (start-time fair queueing: Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248157.248171).
- The stretch is what prediction, urgency and policy make of the wait: below one for what is shorter than usual in the
  queue, above one for what is longer, within 1 / STRETCH and STRETCH.
- The base is now, or the lowest rank that another organisation has waiting where that is in the past: an organisation
  within its share is next, however far a flood has fallen behind its own tags.

The bound. A job queued at t with a lead of l ranks at most at t + STRETCH * l, and in a queue of one organisation,
whose base is always now, nothing that comes after that moment ranks before it. What comes at a moment u before then
ranks before it only while its own lead is below (rank - u) * STRETCH; and as the lead is all the work of the
organisation over its rate, all that is in front of the job is then done by u + (rank - u) * STRETCH, at most t +
STRETCH^2 * l. So, whatever arrives, no job waits more than STRETCH^2 times its first come, first served wait: as far
as the predictions come true, and beside the LEAD_MIN that every lead counts for and the runs in hand, which are not
broken off.

Among several organisations that wait is the one in the organisation's share, as far as the shares come true, and
nothing starves: a new job ranks after now or after the lowest rank that waits, whichever is less, by LEAD_MIN /
STRETCH at least. So that moment only moves on: what waits within so little of it is finite and is taken before
anything can join it.
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
# Of a job of which nothing else is known.
USUAL_URGENCY = "medium"
# Of ln ms: where all jobs are predicted alike, the difference of a tenth is none.
LEAST_SPREAD = 0.1
# By so many submits of an organisation, what is usual in the whole queue counts for what is usual with it.
USUAL_DOUBT = 20


class Tuning(NamedTuple):
    """How one job is ranked among those of its organisation in its queue."""

    lead_seconds: float
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


def rank_offset(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    """Seconds after the base, within [0, STRETCH * lead]: the lead, stretched."""
    return max(tuning.lead_seconds, settings.RANK_LEAD_MIN_SECONDS) * stretch(policy, predicted_ms, urgency, tuning)


def shrunk(own: float, whole: float, submits: float) -> float:
    """A mean or variance of an organisation, drawn to that of the whole queue while it has few submits."""
    return (submits * own + USUAL_DOUBT * whole) / (submits + USUAL_DOUBT)


def lead_after(lead_seconds: float, predicted_ms: float, rate: float) -> float:
    """The lead of the job that comes next, at the same moment."""
    return lead_seconds + predicted_ms / 1000.0 / rate


def base(now: float, lowest_of_others: float | None) -> float:
    """Where ranks begin, in the clock of both: `lowest_of_others` is the lowest rank of another organisation's job."""
    return now if lowest_of_others is None else min(now, lowest_of_others)
