"""What must happen on time."""

import threading
import time

import pytest
from django.db import OperationalError

from jobs.processes.ticker import Chore, Ticker


def test_a_chore_runs_when_it_is_due_and_not_before() -> None:
    ran = []
    ticker = Ticker([Chore("now", 60, lambda: ran.append("now")), Chore("later", 60, lambda: ran.append("later"))])
    ticker.chores[1].due = time.monotonic() + 60

    ticker.tick()
    ticker.tick()

    assert ran == ["now"]


@pytest.mark.parametrize("error", [ValueError("broken"), OperationalError("away")])
def test_a_chore_that_raises_does_not_keep_the_others_from_running(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []

    def broken() -> None:
        raise error

    Ticker([Chore("broken", 60, broken), Chore("good", 60, lambda: ran.append(1))]).tick()

    assert ran == [1]
    assert caplog.records[0].__dict__["chore"] == "broken"


def test_a_chore_can_be_hurried_and_the_thread_stops() -> None:
    ran = threading.Semaphore(0)
    ticker = Ticker([Chore("renew", 60, ran.release)])
    ticker.start()
    assert ran.acquire(timeout=5)

    ticker.hurry("renew")
    assert ran.acquire(timeout=5)

    ticker.stop()
    assert not ticker.is_alive()


def test_after_a_stall_the_missed_calls_are_not_made_up() -> None:
    ran = []
    ticker = Ticker([Chore("beat", 60, lambda: ran.append(1))])
    ticker.chores[0].due = time.monotonic() - 3600

    for _ in range(3):
        ticker.tick()

    assert ran == [1]
