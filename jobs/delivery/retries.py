"""When a delivery that did not succeed is tried again. Pure."""

import random

# After the first failure, the second …: over a day and a half in all.
DELAYS_SECONDS = (5.0, 30.0, 120.0, 600.0, 3_600.0, 4 * 3_600.0, 12 * 3_600.0, 24 * 3_600.0)
# Keeps what failed together from coming back together.
JITTER = 0.1


def delay_seconds(failures: int, *, asked: float | None = None, rng: random.Random | None = None) -> float | None:
    """After so many failures, and not before the receiver asked for it (Retry-After); None: not again."""
    if failures > len(DELAYS_SECONDS):
        return None
    planned = DELAYS_SECONDS[failures - 1] * (1.0 + JITTER * (rng or random).random())
    return max(planned, asked or 0.0)
