"""Asking again: with backoff, as long as the server says, and only what may be asked twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from smartqueue_client.errors import ApiError, Unreachable

T = TypeVar("T")
FIRST_SECONDS, LONGEST_SECONDS = 0.25, 8.0
# Of 5xx: a server that is away. 500 is a bug, which comes again.
AWAY = (502, 503, 504)


def again(call: Callable[[], T], *, within_seconds: float, repeatable: bool) -> T:
    """The call's answer, asked for again until then. What is not repeatable is, when it cannot have been heard."""
    deadline = time.monotonic() + within_seconds
    pause = FIRST_SECONDS
    while True:
        try:
            return call()
        except Unreachable as error:
            wait = asked_to_wait(error)
            # between half and all of it, so that many who were refused together do not come together
            wait = pause * random.uniform(0.5, 1.0) if wait is None else wait
            if not worth_it(error, repeatable) or time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
        pause = min(pause * 2, LONGEST_SECONDS)


def asked_to_wait(error: Unreachable) -> float | None:
    return error.retry_after if isinstance(error, ApiError) else None


def worth_it(error: Unreachable, repeatable: bool) -> bool:
    if isinstance(error, ApiError) and error.status >= 500 and error.status not in AWAY:
        return False
    return repeatable or error.unheard
