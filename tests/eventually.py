"""Waiting for what other threads and processes bring about."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within_seconds: float = 10.0, every_seconds: float = 0.05) -> T:
    """The first true answer of `check`; fails with its last answer when there is none in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {within_seconds:g} s"
        time.sleep(every_seconds)
