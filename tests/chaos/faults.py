"""What goes wrong, one thing after the other, drawn by lot from a seed; and how soon the deployment was over it."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.site import Site

KINDS = ("worker", "scheduler", "watchdog", "web")
PAUSE_SECONDS = (3.0, 9.0)
# Longer than a lease.
LONG_STOP_SECONDS = 34.0
CUT_SECONDS = (4.0, 45.0)


@dataclass(frozen=True)
class Fault:
    """One that happened: when it began and when it was undone, by time.monotonic()."""

    name: str
    target: str
    began: float
    ended: float
    # When it began, by the clock that the database has too.
    at: float
    # It hit the scheduler that led, or its line.
    of_leader: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def restarts_database(self) -> bool:
        return self.kind == "database"

    @property
    def web(self) -> bool:
        """Whether callers of the web may notice."""
        return self.target in ("web", "database")


class Faults:
    def __init__(self, site: Site, seed: int, seconds: float) -> None:
        self.site = site
        self.draw = random.Random(seed)
        self.end = time.monotonic() + seconds
        self.done: list[Fault] = []
        self.acts: dict[str, Callable[[], str]] = {
            **{f"{verb} {kind}": self.act(verb, kind) for verb in ("kill", "stop", "term") for kind in KINDS},
            "database immediate": lambda: self.database(signal.SIGQUIT),
            "database fast": lambda: self.database(signal.SIGINT),
            "database kill": lambda: self.database(signal.SIGKILL),
            "terminate sessions": self.terminate,
            "partition": self.partition,
        }

    def run(self) -> None:
        """Each kind once, in an order drawn by lot, then again."""
        order: list[str] = []
        while (left := self.end - time.monotonic()) > 0:
            time.sleep(min(self.draw.uniform(*PAUSE_SECONDS), left))
            if time.monotonic() > self.end:
                return
            if not order:
                order = self.draw.sample(sorted(self.acts), len(self.acts))
            name = order.pop()
            leader = self.site.leader()
            began, at = time.monotonic(), time.time()
            target = self.acts[name]()
            of_leader = leader is not None and leader == {"line": "scheduler-cut"}.get(target, target)
            self.done.append(Fault(name, target, began, time.monotonic(), at, of_leader))
            print(f"  {name} ({target}), {time.monotonic() - began:.1f} s", flush=True)

    def act(self, verb: str, kind: str) -> Callable[[], str]:
        return lambda: getattr(self, verb)(self.one_of(kind))

    def one_of(self, kind: str) -> str:
        names = sorted(name for name, member in self.site.members.items() if member.kind == kind)
        return self.draw.choice(names)

    def kill(self, name: str) -> str:
        self.site.send(name, signal.SIGKILL)
        return name

    def term(self, name: str) -> str:
        self.site.send(name, signal.SIGTERM)
        return name

    def stop(self, name: str) -> str:
        """Sometimes for longer than a lease: what it does when it wakes must change nothing."""
        long = name.startswith("worker") and self.draw.random() < 0.5
        seconds = LONG_STOP_SECONDS if long else self.draw.uniform(1, 8)
        self.site.send(name, signal.SIGSTOP)
        time.sleep(max(0.0, min(seconds, self.end - time.monotonic())))
        self.site.send(name, signal.SIGCONT)
        return name

    def database(self, signum: signal.Signals) -> str:
        self.site.end_database(signum)
        time.sleep(self.draw.uniform(0, 3))
        self.site.begin_database()
        return "database"

    def terminate(self) -> str:
        self.site.terminate_sessions()
        return "database"

    def partition(self) -> str:
        self.site.line.cut.set()
        time.sleep(max(0.0, min(self.draw.uniform(*CUT_SECONDS), self.end - time.monotonic())))
        self.site.line.cut.clear()
        return "line"
