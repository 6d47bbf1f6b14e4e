"""Calls with a limit on how long their caller waits."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_a_thread_makes_one_call_after_the_other() -> None:
    first = within(30, threading.current_thread)
    second = within(30, threading.current_thread)

    assert first is second is not threading.current_thread()


def test_a_thread_that_was_left_behind_gets_no_other_call() -> None:
    over = threading.Event()
    usual = within(30, threading.current_thread)

    with pytest.raises(Overdue) as raised:
        within(0.01, lambda: over.wait(30))

    assert raised.value.thread is usual
    assert within(30, threading.current_thread) is not usual
    over.set()
    usual.join(30)


def test_callers_at_the_same_moment_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=30)

    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(lambda _: within(30, both.wait), range(2)))

    assert sorted(answers) == [0, 1]


def test_a_forked_process_makes_threads_of_its_own() -> None:
    within(30, threading.current_thread)

    pid = os.fork()
    if pid == 0:
        os._exit(7 if within(30, lambda: True) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
