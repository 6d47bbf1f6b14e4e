"""What a prediction does to a job's place in the queue. Pure functions of numbers.

Rank, the lowest first: base + lead * stretch. The base is the time of queueing, or the lowest rank that still waits
where the queue is behind (the virtual time of start-time fair queueing: Goyal, Vin, Cheng 1996). The lead is how long
the organisation's share of the workers needs for what it has put in before the job: its wait, were it first come, first
served. The stretch is what prediction, urgency and policy make of that wait, within [1 / STRETCH, STRETCH]. It is one
stored number that never has to be computed again.

The bound: a job ranks at most STRETCH * lead after its base. One that comes later and passes it has a lead of at most
STRETCH times what is left of that, so all that can pass it is done by its base + STRETCH^2 * lead: no job waits more
than STRETCH^2 times its wait in order of arrival in its organisation's share, whatever arrives. (A lead counts as
RANK_LEAD_MIN_SECONDS at least.)
"""

import math
from typing import NamedTuple

from django.conf import settings

POLICIES = ("learned", "fifo", "priority")
# A neutral job: priority 0.5 is a prediction of this many milliseconds.
PRIORITY_SCALE_MS = 3000.0
# Anything shorter is taken for this: 1 / (1 + 1e-14) would be 1.0.
SHORTEST_MS = 1.0
# Jobs that are predicted all alike differ by their urgency alone, and not without bounds.
LEAST_SPREAD = 0.1
URGENCY_FACTOR = {"high": 1 / 8, "medium": 1.0, "low": 8.0}


class Tuning(NamedTuple):
    """How an organisation's jobs are ranked in a queue."""

    # The lead of the job itself, RANK_LEAD_MIN_SECONDS at least.
    tau_seconds: float
    # What is predicted of a usual job of its, and the standard deviation of the logarithms.
    typical_ms: float
    # Predicted seconds of work that its share of the workers does in a second.
    rate: float
    spread: float = 1.0


def priority(predicted_ms: float) -> float:
    """1 / (1 + ms / 3000), in (0, 1): short jobs near 1."""
    return 1.0 / (1.0 + max(predicted_ms, SHORTEST_MS) / PRIORITY_SCALE_MS)


def rank_offset(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    """Seconds after its base, within [tau / STRETCH, STRETCH * tau].

    learned: by the predicted time beside a typical one, a spread more or less counting as e^POWER; urgency multiplies
    the prediction. priority: by the priority as it is shown. fifo: the lead itself.
    """
    if policy == "fifo":
        return tuning.tau_seconds
    weighed_ms = max(predicted_ms, SHORTEST_MS) * URGENCY_FACTOR[urgency]
    most = math.log(settings.RANK_STRETCH)
    if policy == "priority":
        power = most * (1.0 - 2.0 * priority(weighed_ms))
    else:
        power = settings.RANK_POWER / max(tuning.spread, LEAST_SPREAD) * math.log(weighed_ms / tuning.typical_ms)
    return tuning.tau_seconds * math.exp(min(max(power, -most), most))


def lead_after(lead_seconds: float, predicted_ms: float, rate: float) -> float:
    """The lead of the job that comes next, at the same moment."""
    return lead_seconds + predicted_ms / 1000.0 / rate
