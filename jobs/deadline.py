"""Calls that may not take longer than their caller can wait."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """The call took too long. Its thread goes on, for a thread cannot be stopped."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__("took too long")
        self.thread = thread


def within(seconds: float, call: Callable[[], T]) -> T:
    """What call() returns or raises, from a thread of its own. Raises Overdue after so many seconds."""
    answer: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    # A daemon: a call that never returns must not keep the process from ending.
    thread = threading.Thread(target=lambda: answer.put(outcome_of(call)), name="deadline", daemon=True)
    thread.start()
    try:
        outcome = answer.get(timeout=seconds)
    except queue.Empty:
        raise Overdue(thread) from None
    return outcome()


def outcome_of(call: Callable[[], T]) -> Callable[[], T]:
    """A function that returns, or raises, what call() did."""
    try:
        value = call()
    except Exception as error:
        failure = error

        def again() -> T:
            raise failure

        return again
    return lambda: value
