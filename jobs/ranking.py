"""What a prediction does to a job's place in the queue. Pure functions of numbers.

Rank, the lowest first: time of queueing + lead of the organisation + offset. The first two are the job's start tag
(start-time fair queueing: Goyal, Vin, Cheng 1996): who puts in more than its share of the workers does gets later ones.
The offset is what its prediction, its urgency and the queue's policy make of the job: logarithmic ageing, within
[0, SPAN * tau]. It is one stored number that never has to be computed again.

The bound: a rank is never below its start tag, and never more than SPAN * tau above it. So a job is passed only by
jobs whose start tags are at most SPAN * tau later than its own, tau being that of the moment in which it was ranked:
whatever arrives, and however tau changes afterwards. Its wait is at most what it would be in the order of start tags
alone (first come, first served within each organisation, by shares between them), with the work in front of it that
was tagged within SPAN * tau, at most SPAN * TAU_MAX, after it.
"""

import math
from typing import NamedTuple

from django.conf import settings

POLICIES = ("learned", "fifo", "priority")
# A neutral job: priority 0.5 is a prediction of this many milliseconds.
PRIORITY_SCALE_MS = 3000.0
# Anything shorter is taken for this: 1 / (1 + 1e-14) would be 1.0.
SHORTEST_MS = 1.0
# urgency multiplies the prediction, so it is a fixed shift of the rank
URGENCY_FACTOR = {"high": 1 / 8, "medium": 1.0, "low": 8.0}


class Tuning(NamedTuple):
    """How an organisation's jobs are ranked in a queue."""

    tau_seconds: float
    # What is predicted of a usual job of its.
    typical_ms: float
    # Predicted seconds of work that its share of the workers does in a second.
    rate: float


def priority(predicted_ms: float) -> float:
    """1 / (1 + ms / 3000), in (0, 1): short jobs near 1."""
    return 1.0 / (1.0 + max(predicted_ms, SHORTEST_MS) / PRIORITY_SCALE_MS)


def rank_offset(policy: str, predicted_ms: float, urgency: str, tuning: Tuning) -> float:
    """Seconds after its start tag, within [0, SPAN * tau].

    learned: tau * ln(predicted time / FLOOR), a job predicted x times longer tau * ln(x) later; urgency multiplies the
    prediction. priority: by the priority as it is shown. fifo: the same for all, that of a typical job.
    """
    if policy == "fifo":
        return tuning.tau_seconds * ageing(tuning.typical_ms)
    weighed_ms = predicted_ms * URGENCY_FACTOR[urgency]
    if policy == "priority":
        return tuning.tau_seconds * settings.RANK_SPAN * (1.0 - priority(weighed_ms))
    return tuning.tau_seconds * ageing(weighed_ms)


def ageing(ms: float) -> float:
    """ln(ms / FLOOR), within [0, SPAN]."""
    return min(max(math.log(max(ms, SHORTEST_MS) / settings.RANK_FLOOR_MS), 0.0), settings.RANK_SPAN)


def lead_after(lead_seconds: float, predicted_ms: float, rate: float) -> float:
    """The lead of the job that comes next, at the same moment."""
    return lead_seconds + predicted_ms / 1000.0 / rate
