"""Waiting for a broker that is away: longer each time, and never deaf to what else happens."""

import random
import time
from collections.abc import Callable

FIRST_SECONDS, LONGEST_SECONDS = 0.2, 15.0
# How long one may be asked to stop, or lose a hold, before it is noticed.
STEP_SECONDS = 0.2


class Patience:
    """Twice as long with each failure in a row, up to LONGEST_SECONDS, and a little by chance."""

    def __init__(self) -> None:
        self.failures = 0

    def wait(self, keep: Callable[[], None], *, least: float = 0.0) -> None:
        """Calls `keep` all the while, which ends it by raising."""
        planned = min(FIRST_SECONDS * 2.0 ** min(self.failures, 10), LONGEST_SECONDS)
        self.failures += 1
        until = time.monotonic() + max(planned, least) * random.uniform(0.8, 1.0)
        while True:
            keep()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, STEP_SECONDS))

    def over(self) -> None:
        self.failures = 0
