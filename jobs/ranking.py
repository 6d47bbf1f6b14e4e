"""What a prediction does to a job's place in the queue. Pure functions of numbers."""

import math

# A neutral job: priority 0.5 is a prediction of this many milliseconds.
PRIORITY_SCALE_MS = 3000.0
# Anything shorter is taken for this: 1 / (1 + 1e-14) would be 1.0.
SHORTEST_MS = 1.0
# urgency multiplies the prediction, so it is a fixed shift of the rank
URGENCY_FACTOR = {"high": 1 / 8, "medium": 1.0, "low": 8.0}
# Of a job of which nothing else is known.
USUAL_URGENCY = "medium"


def priority(predicted_ms: float) -> float:
    """1 / (1 + ms / 3000), in (0, 1): short jobs near 1."""
    return 1.0 / (1.0 + max(predicted_ms, SHORTEST_MS) / PRIORITY_SCALE_MS)


def rank_offset(predicted_ms: float, urgency: str, tau_seconds: float) -> float:
    """Seconds to add to the time of queueing; the lowest sum is claimed first.

    Logarithmic ageing: rank = queued_at + tau * ln(predicted seconds). A job predicted x times longer can be
    passed only by jobs that arrive within tau * ln(x) seconds after it, so nothing starves, and the rank is one
    stored number that never has to be computed again.
    """
    seconds = max(predicted_ms, SHORTEST_MS) / 1000.0 * URGENCY_FACTOR[urgency]
    return tau_seconds * math.log(seconds)
