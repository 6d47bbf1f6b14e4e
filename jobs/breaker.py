"""A circuit breaker (Nygard, Release It!, 2007): what fails again and again is left alone for a while."""

import threading
import time
from collections.abc import Callable


class Breaker:
    """Open after so many failures in a row; then, when its time is over, one call at a time tries whether it works."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._trying = False

    @property
    def closed(self) -> bool:
        """Whether calls go through as usual."""
        return self._open_until is None

    def allows(self) -> bool:
        """Whether a call may be made now. Whoever asks makes it, and then says what came of it."""
        with self._lock:
            if self._open_until is None:
                return True
            if self._trying or self._clock() < self._open_until:
                return False
            self._trying = True
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._open_until, self._trying = 0, None, False

    def failed(self, *, most: int, rest_seconds: float) -> bool:
        """Whether this opened it, or kept it open for another rest."""
        with self._lock:
            self._failures += 1
            was_trying, self._trying = self._trying, False
            if self._failures < most and not was_trying:
                return False
            if self._open_until is not None and not was_trying:
                # began before it was opened
                return False
            self._open_until = self._clock() + rest_seconds
            return True
