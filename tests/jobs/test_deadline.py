"""Calls with a limit on how long their caller waits."""

import threading

import pytest

from jobs.deadline import Overdue, within


def test_it_gives_what_the_call_gives() -> None:
    assert within(30, lambda: 3) == 3


def test_it_raises_what_the_call_raises() -> None:
    def broken() -> None:
        raise ZeroDivisionError("by hand")

    with pytest.raises(ZeroDivisionError, match="by hand"):
        within(30, broken)


def test_a_call_that_takes_too_long_is_left_behind_and_named() -> None:
    over = threading.Event()

    with pytest.raises(Overdue) as raised:
        within(0.01, lambda: over.wait(30))

    assert raised.value.thread.is_alive()
    assert raised.value.thread.daemon
    over.set()
    raised.value.thread.join(30)
    assert not raised.value.thread.is_alive()
