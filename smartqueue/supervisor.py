"""Start processes, keep them running, gather their output, stop them in order. One thread, one loop."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from smartqueue.pghome import libc

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.5, 30.0
# A process that lived this long had a good start: its next failure counts as the first.
GOOD_LIFE_SECONDS = 60.0
# Which failure in a row is shown with the process's last lines.
LOUD_FAILURE = 3
PR_SET_CHILD_SUBREAPER = 36

Say = Callable[[str, str], None]


class Interrupted(BaseException):
    """A signal asked us to end while we were starting. Like KeyboardInterrupt, no `except Exception` takes it."""


@dataclass
class Child:
    """A process that is to be running, and what is known of its present life."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    log_path: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    due_at: float = 0.0
    partial: bytes = b""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def running(self) -> bool:
        return self.process is not None

    def delay_seconds(self) -> float:
        return min(FIRST_DELAY_SECONDS * 2.0 ** (self.failures - 1), LONGEST_DELAY_SECONDS)


class Signals:
    """SIGINT, SIGTERM and SIGHUP, counted; each one wakes the loop. While starting they raise Interrupted."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self.raising = True
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)

    def handle(self) -> None:
        signal.set_wakeup_fd(self.writer.fileno(), warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self.receive)
        # Nothing to do but wake up: the loop then looks for whoever ended.
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)

    def receive(self, signum: int, frame: FrameType | None) -> None:
        self.received.append(signal.Signals(signum))
        if self.raising:
            self.raising = False
            raise Interrupted

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(512):
                pass


class Supervisor:
    def __init__(self, say: Say, signals: Signals) -> None:
        self.say = say
        self.signals = signals
        self.children: list[Child] = []
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(signals.reader, selectors.EVENT_READ, None)
        # What our children leave behind becomes our child, so that nothing outlives us unseen.
        if libc is not None:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, child: Child) -> None:
        if child not in self.children:
            self.children.append(child)
        try:
            child.process = child.spawn()
        except Exception as error:
            self.say(child.name, f"cannot start: {error}")
            self.put_off(child)
            return
        child.started_at = time.monotonic()
        child.partial = b""
        if child.process.stdout:
            os.set_blocking(child.process.stdout.fileno(), False)
            self.selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def adopt(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        """Watch over a process that is running already."""
        child.process = process
        child.started_at = time.monotonic()
        self.children.append(child)

    def turn(self, seconds: float) -> None:
        """Pass on output, take note of the dead, restart what is due; wait at most `seconds` for any of it."""
        due = [child.due_at for child in self.children if not child.running and not self.stopping]
        wait = min([seconds, *(max(at - time.monotonic(), 0.0) for at in due)])
        for key, _ in self.selector.select(wait):
            if key.data is None:
                self.signals.drain()
            else:
                self.read(key.data)
        self.reap()
        for child in self.children:
            if not child.running and not self.stopping and child.due_at <= time.monotonic():
                self.say(child.name, "starting again")
                self.start(child)

    def read(self, child: Child) -> None:
        """Hand over whole lines. Returns when the pipe is empty for now, or closes it at its end."""
        assert child.process
        assert child.process.stdout
        pipe = child.process.stdout
        for _ in range(16):
            try:
                block = os.read(pipe.fileno(), 65536)
            except BlockingIOError:
                return
            if not block:
                self.close(child)
                return
            *lines, child.partial = (child.partial + block).split(b"\n")
            self.log(child, lines)

    def log(self, child: Child, lines: Iterable[bytes]) -> None:
        texts = [line.decode(errors="replace").rstrip("\r") for line in lines]
        if child.log_path and texts:
            with contextlib.suppress(OSError), child.log_path.open("a", encoding="utf-8") as file:
                file.writelines(f"{text}\n" for text in texts)
        for text in texts:
            child.last_lines.append(text)
            self.say(child.name, text)

    def close(self, child: Child) -> None:
        if child.process and child.process.stdout and not child.process.stdout.closed:
            self.selector.unregister(child.process.stdout)
            child.process.stdout.close()
            if child.partial:
                self.log(child, [child.partial])
                child.partial = b""

    def reap(self) -> None:
        """Bury every dead child, those we inherited too, and plan the restart of our own."""
        while True:
            try:
                # Looks without burying, so that the group's id cannot be given to others before we signalled it.
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            child = next((one for one in self.children if one.process and one.process.pid == dead.si_pid), None)
            if child is None:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(dead.si_pid, os.WNOHANG)
            else:
                self.bury(child)

    def bury(self, child: Child) -> None:
        assert child.process
        signal_group(child, signal.SIGKILL)
        if child.process.stdout and not child.process.stdout.closed:
            self.read(child)
        self.close(child)
        status = child.process.wait()
        child.process = None
        self.kill_strays()
        if self.stopping:
            return
        if time.monotonic() - child.started_at > GOOD_LIFE_SECONDS:
            child.failures = 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self.put_off(child)
        self.say(child.name, f"{how}; starting again in {child.delay_seconds():g} s")
        if child.failures >= LOUD_FAILURE:
            self.say(child.name, f"failed {child.failures} times in a row. Its last lines:")
            for line in list(child.last_lines):
                self.say(child.name, f"  {line}")

    def put_off(self, child: Child) -> None:
        child.failures += 1
        child.due_at = time.monotonic() + child.delay_seconds()

    def kill_strays(self) -> None:
        """End what dead children left behind: their jobs' processes would work on without a lease."""
        known = {child.process.pid for child in self.children if child.process}
        for stray in psutil.Process().children():
            if stray.pid not in known:
                with contextlib.suppress(psutil.NoSuchProcess):
                    for process in [*stray.children(recursive=True), stray]:
                        process.kill()

    def stop(self, plan: dict[str, float], kill_after_seconds: float) -> None:
        """SIGTERM each child `plan[name]` seconds from now, or once those before it are gone; then SIGKILL all.

        A further signal from the terminal ends the patience. Children outside the plan are left running."""
        self.stopping, self.signals.raising = True, False
        begun, asked = time.monotonic(), len(self.signals.received)
        waiting = sorted((child for child in self.children if child.name in plan), key=lambda one: plan[one.name])
        told: list[Child] = []
        while any(child.running for child in (*waiting, *told)):
            age = time.monotonic() - begun
            if age > kill_after_seconds or len(self.signals.received) > asked:
                break
            all_gone = not any(child.running for child in told)
            next_up = plan[waiting[0].name] if waiting else 0.0
            while waiting and (plan[waiting[0].name] <= age or (all_gone and plan[waiting[0].name] == next_up)):
                told.append(waiting.pop(0))
                if told[-1].process:
                    told[-1].process.terminate()
            self.turn(0.05)
        for child in (*told, *waiting):
            signal_group(child, signal.SIGKILL)
        while any(child.running for child in (*told, *waiting)):
            self.turn(0.05)
        self.kill_strays()


def signal_group(child: Child, signum: signal.Signals) -> None:
    if child.process:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signum)
