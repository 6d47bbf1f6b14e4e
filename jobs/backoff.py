"""How long a job waits before its next try. Pure."""

import random


def delay_seconds(
    failures: int, *, base: float = 2.0, cap: float = 60.0, jitter: float = 1.0, rng: random.Random | None = None
) -> float:
    """2, 4, 8 … seconds after the 1st, 2nd, 3rd failure, plus up to `jitter`, never above `cap`.

    Jitter keeps jobs that failed together (one dead dependency) from coming back together, at the cap too.
    """
    # The exponent is bounded before the power is taken: 2.0 ** 2000 overflows.
    grown = base * 2.0 ** min(max(failures - 1, 0), 64)
    draw = (rng or random).random()
    return min(max(min(grown, cap - jitter) + draw * jitter, 0.0), cap)
