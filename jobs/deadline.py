"""Calls that may not take longer than their caller can wait."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """The call took too long. Its thread goes on, for a thread cannot be stopped, and ends with it."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__("took too long")
        self.thread = thread


class Helper(threading.Thread):
    """Makes one call after the other: to start a thread for each would take longer than a short call."""

    def __init__(self) -> None:
        # A daemon: a call that never returns must not keep the process from ending.
        super().__init__(name="deadline", daemon=True)
        self.calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def run(self) -> None:
        while (call := self.calls.get()) is not None:
            call()


# Those that wait for a call: as many as there were callers at a time.
_idle: deque[Helper] = deque()
# threads do not come along into a forked process
os.register_at_fork(after_in_child=_idle.clear)


def idle_helper() -> Helper:
    try:
        return _idle.pop()
    except IndexError:
        helper = Helper()
        helper.start()
        return helper


def within(seconds: float, call: Callable[[], T]) -> T:
    """What call() returns or raises, from another thread. Raises Overdue after so many seconds."""
    answer: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    helper = idle_helper()
    helper.calls.put(lambda: answer.put(outcome_of(call)))
    try:
        outcome = answer.get(timeout=seconds)
    except queue.Empty:
        helper.calls.put(None)
        raise Overdue(helper) from None
    _idle.append(helper)
    return outcome()


def outcome_of(call: Callable[[], T]) -> Callable[[], T]:
    """A function that returns, or raises, what call() did."""
    try:
        value = call()
    except Exception as error:
        failure = error

        def again() -> Any:
            raise failure

        return again
    return lambda: value
