"""Starting, watching and stopping processes, with real ones."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from smartqueue import supervisor
from smartqueue.supervisor import Child, Signals, Supervisor

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = "print('up', flush=True); import time; time.sleep(60)"


class Said(list[tuple[str, str]]):
    def __call__(self, name: str, text: str) -> None:
        self.append((name, text))

    def texts(self, name: str) -> list[str]:
        return [text for who, text in self if who == name]


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def watch(said: Said, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor that does not become the reaper of the test run's own children."""
    monkeypatch.setattr(supervisor, "libc", None)
    monkeypatch.setattr(Supervisor, "reap", reap_own)
    monkeypatch.setattr(Supervisor, "kill_strays", lambda self: None)
    signals = Signals()
    with signals.reader, signals.writer:
        watch = Supervisor(said, signals)
        yield watch
        watch.stop({child.name: 0.0 for child in watch.children}, kill_after_seconds=0.0)
        watch.selector.close()


def reap_own(self: Supervisor) -> None:
    for child in self.children:
        if child.process and child.process.poll() is not None:
            self.bury(child)


def python(name: str, code: str, log_path: Path | None = None) -> Child:
    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    return Child(name, spawn, log_path)


def turn_until(watch: Supervisor, check: object, within_seconds: float = 10.0) -> None:
    assert callable(check)
    deadline = time.monotonic() + within_seconds
    while not check():
        assert time.monotonic() < deadline
        watch.turn(0.05)


def test_output_arrives_line_by_line_in_the_terminal_and_in_the_log(
    watch: Supervisor, said: Said, tmp_path: Path
) -> None:
    watch.start(python("worker", "print('one'); print('two', end='')", tmp_path / "worker.log"))

    turn_until(watch, lambda: "two" in said.texts("worker"))

    assert said.texts("worker")[:2] == ["one", "two"]
    assert (tmp_path / "worker.log").read_text() == "one\ntwo\n"


def test_a_dead_child_is_started_again_after_a_growing_delay(watch: Supervisor, said: Said) -> None:
    child = python("worker", "import sys; sys.exit(3)")
    watch.start(child)

    turn_until(watch, lambda: child.failures >= 2)

    assert said.texts("worker")[:3] == [
        "ended with status 3; starting again in 0.5 s",
        "starting again",
        "ended with status 3; starting again in 1 s",
    ]


def test_a_child_that_keeps_failing_shows_its_last_lines(watch: Supervisor, said: Said) -> None:
    child = python("worker", "import sys; sys.exit('no such table')")
    child.failures = supervisor.LOUD_FAILURE - 1
    watch.start(child)

    turn_until(watch, lambda: child.failures == supervisor.LOUD_FAILURE)

    assert said.texts("worker")[-2:] == ["failed 3 times in a row. Its last lines:", "  no such table"]


def test_the_delay_is_bounded() -> None:
    child = python("worker", "")
    child.failures = 1000

    assert child.delay_seconds() == supervisor.LONGEST_DELAY_SECONDS


def test_children_stop_in_the_order_of_the_plan(watch: Supervisor, said: Said) -> None:
    children = {name: python(name, POLITE) for name in ("watchdog", "web", "worker")}
    for child in children.values():
        watch.start(child)
    turn_until(watch, lambda: len(said) == 3)
    ended: list[str] = []
    bury = watch.bury
    watch.bury = lambda child: (ended.append(child.name), bury(child))[1]  # type: ignore[method-assign]

    watch.stop({"web": 0.0, "worker": 0.2, "watchdog": 0.4}, kill_after_seconds=8.0)

    assert ended == ["web", "worker", "watchdog"]


def test_what_does_not_listen_is_killed_with_its_group(watch: Supervisor, said: Said) -> None:
    child = python(
        "worker", f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {STUBBORN}"
    )
    watch.start(child)
    turn_until(watch, lambda: said.texts("worker").count("up") == 2)
    assert child.process
    family = [psutil.Process(child.process.pid), *psutil.Process(child.process.pid).children(recursive=True)]

    watch.stop({"worker": 0.0}, kill_after_seconds=0.3)

    _, alive = psutil.wait_procs(family, timeout=5)
    assert len(family) == 2
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_a_further_signal_ends_the_patience(watch: Supervisor, said: Said) -> None:
    child = python("worker", STUBBORN)
    watch.start(child)
    turn_until(watch, lambda: said.texts("worker"))
    begun = time.monotonic()
    original = watch.turn

    def signalled(seconds: float) -> None:
        watch.signals.receive(15, None)
        original(seconds)

    watch.turn = signalled  # type: ignore[method-assign]
    watch.stop({"worker": 0.0}, kill_after_seconds=60.0)

    assert not child.running
    assert time.monotonic() - begun < 60.0


def test_a_signal_while_starting_interrupts() -> None:
    signals = Signals()
    with signals.reader, signals.writer, pytest.raises(supervisor.Interrupted):
        signals.receive(2, None)

    signals.receive(2, None)
    assert len(signals.received) == 2
