"""The skeleton of every process."""

import fcntl
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from jobs.processes import loop as loop_module
from jobs.processes.loop import Loop
from tests.eventually import eventually


class Scripted(Loop):
    """Each step does what the script says; the loop stops when it is through."""

    def __init__(self, *script: Any, idle_seconds: float = 60.0) -> None:
        super().__init__(idle_seconds=idle_seconds)
        self.script = list(script)
        self.happened: list[str] = []

    def step(self) -> bool:
        self.happened.append("step")
        if not self.script:
            self.stop()
            return False
        act = self.script.pop(0)
        if isinstance(act, Exception):
            raise act
        return bool(act)

    def sleep(self, seconds: float) -> None:
        self.happened.append("sleep")
        if self.script:
            super().sleep(0)

    def drain(self) -> None:
        self.happened.append("drain")

    def close(self) -> None:
        self.happened.append("close")
        self.close_sockets()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "RECOVERY_SECONDS", 0.01)


def test_it_sleeps_only_after_a_step_that_found_nothing() -> None:
    loop = Scripted(True, False, True)

    loop.run()

    assert loop.happened == ["step", "step", "sleep", "step", "step", "sleep", "drain", "close"]


@pytest.mark.parametrize("error", [ValueError("broken"), OperationalError("the database is away")])
def test_a_step_that_raises_is_slept_on_and_the_loop_lives(
    error: Exception, fast: None, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Scripted(error, True)

    loop.run()

    assert loop.happened == ["step", "sleep", "step", "step", "sleep", "drain", "close"]
    assert len(caplog.records) == 1


def test_it_closes_when_its_drain_raises() -> None:
    loop = Scripted()
    loop.drain = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]

    with pytest.raises(ZeroDivisionError):
        loop.run()

    assert loop.happened[-1] == "close"


class Sleeper(Loop):
    """Sleeps in a thread; `awake` tells how often it woke."""

    def __init__(self, *extra: Any) -> None:
        super().__init__(idle_seconds=60)
        self.extra = list(extra)
        self.done = threading.Event()

    def sockets(self) -> list[Any]:
        return self.extra

    def start(self) -> None:
        threading.Thread(target=self.once, daemon=True).start()

    def once(self) -> None:
        self.sleep(60)
        self.close_sockets()
        self.done.set()


@pytest.mark.parametrize("act", ["wake", "stop"])
def test_a_sleep_is_ended_from_another_thread(act: str) -> None:
    sleeper = Sleeper()
    sleeper.start()
    assert not sleeper.done.wait(0.05)

    getattr(sleeper, act)()

    assert sleeper.done.wait(5)


def test_a_wake_before_the_sleep_is_not_lost_and_counts_once() -> None:
    loop = Loop(idle_seconds=60)
    for _ in range(100_000):
        loop.wake()

    loop.sleep(60)

    assert not loop.read_wake_bytes()
    loop.close_sockets()
    loop.wake()


@pytest.fixture
def high_socket() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A pair of which the first has a number that select() cannot take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    ours, theirs = socket.socketpair()
    high = socket.socket(fileno=fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, 1500))
    yield high, theirs
    for each in (ours, theirs, high):
        each.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_sleep_is_ended_by_a_socket_of_any_number(high_socket: tuple[socket.socket, socket.socket]) -> None:
    high, theirs = high_socket
    sleeper = Sleeper(high)
    sleeper.start()
    assert not sleeper.done.wait(0.05)

    theirs.send(b"x")

    assert sleeper.done.wait(5)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_the_first_signal_drains_and_the_second_exits_at_once(exits: list[int]) -> None:
    abandoned = threading.Event()
    loop = Loop(idle_seconds=60)
    loop.abandon = abandoned.set  # type: ignore[method-assign]

    loop.on_signal(signal.SIGTERM, None)
    assert (loop.stopping, exits) == (True, [])
    loop.on_signal(signal.SIGTERM, None)

    assert eventually(lambda: exits) == [128 + signal.SIGTERM]
    assert abandoned.is_set()
    loop.close_sockets()


@pytest.mark.parametrize("abandon", [lambda: threading.Event().wait(60), lambda: 1 / 0], ids=["hangs", "raises"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_exits_whatever_abandoning_does(
    exits: list[int], monkeypatch: pytest.MonkeyPatch, abandon: Callable[[], Any]
) -> None:
    monkeypatch.setattr(loop_module, "ABANDON_SECONDS", 0.05)
    loop = Loop(idle_seconds=60)
    loop.abandon = abandon  # type: ignore[method-assign]

    for _ in range(2):
        loop.on_signal(signal.SIGINT, None)

    assert eventually(lambda: exits) == [128 + signal.SIGINT]
    loop.close_sockets()
