"""What the demo organisations ran: kinds of job with their payloads, times and troubles."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from django.conf import settings

Payload = dict[str, Any]
# From the hour of the day: a payload, and the milliseconds it took.
Make = Callable[[Random, float], tuple[Payload, float]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How an attempt that did not succeed ended."""

    outcome: str
    error_type: str
    error: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs that are alike. `share` is how many of all, `trouble_share` how many of its attempts fail."""

    type: str
    name: str
    share: float
    make: Make
    queue: str = "default"
    urgency: str = "medium"
    category: str = "Application"
    title: str = ""
    user: str = "otto"
    trouble: Trouble | None = None
    trouble_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Dead:
    """A job that failed for good, each of its attempts in the same way after so long."""

    kind: Kind
    trouble: Trouble
    payload: Payload
    ms: float
    max_attempts: int = 4
    timeout_seconds: int = 300


def around(ms: float, spread: float, random: Random) -> float:
    """Run times are spread evenly over their logarithm."""
    return ms * random.lognormvariate(0.0, spread)


def task(name: str, **kwargs: Any) -> Payload:
    return {"task": f"demo.{name}", "kwargs": kwargs}


def health_check() -> Payload:
    return {"method": "GET", "url": f"{settings.PUBLIC_URL}/healthz", "expect_status": [200]}


def add(random: Random, hour: float) -> tuple[Payload, float]:
    return task("add", a=random.randint(1, 99), b=random.randint(1, 99)), around(5, 0.25, random)


def primes(random: Random, hour: float) -> tuple[Payload, float]:
    below = random.choice((10_000, 50_000, 200_000, 200_000, 500_000))
    return task("primes", below=below), 5 + around(below * 0.0007, 0.12, random)


def all_primes(random: Random, hour: float) -> tuple[Payload, float]:
    below = random.choice((2_000_000, 3_000_000, 5_000_000))
    return task("primes", below=below), around(below * 0.0011, 0.08, random)


def word_count(random: Random, hour: float) -> tuple[Payload, float]:
    text = " ".join(random.choices(("lease", "queue", "job", "retry", "worker", "done"), k=random.randint(5, 900)))
    return task("word_count", text=text), 4 + around(len(text) * 0.02, 0.1, random)


def flaky(random: Random, hour: float) -> tuple[Payload, float]:
    return task("flaky", succeed_on=2), around(6, 0.2, random)


def wait(random: Random, hour: float) -> tuple[Payload, float]:
    seconds = random.choice((1, 2, 5, 8))
    return task("wait", seconds=seconds), seconds * 1000 + around(8, 0.3, random)


def check(random: Random, hour: float) -> tuple[Payload, float]:
    return health_check(), around(9, 0.35, random)


def sync(random: Random, hour: float) -> tuple[Payload, float]:
    """Slow by day, when others use the same server."""
    busy = 9 <= hour < 18
    payload = {"method": "POST", "url": "https://crm.example.com/sync", "json": {"since": "yesterday"}}
    return payload, around(2_400 if busy else 700, 0.3, random)


def prices(random: Random, hour: float) -> tuple[Payload, float]:
    payload = {"url": "https://prices.example.com/today", "headers": {"Accept": "application/json"}}
    return payload, around(380, 0.25, random)


def hello(random: Random, hour: float) -> tuple[Payload, float]:
    return {"argv": ["/bin/echo", "hello", "from", "SmartQueue"]}, around(24, 0.2, random)


def numbers(random: Random, hour: float) -> tuple[Payload, float]:
    return {"argv": ["/usr/bin/seq", "1", str(random.choice((1_000, 10_000)))]}, around(32, 0.25, random)


def backup(random: Random, hour: float) -> tuple[Payload, float]:
    return {"argv": ["/bin/sleep", "20"]}, 20_000 + around(30, 0.3, random)


BUSY = Trouble("error", "HttpStatus", "POST https://crm.example.com/sync answered 503 Service Unavailable")
SLOW = Trouble("error", "HttpTimeout", "prices.example.com did not answer within 30.0 s.")
NOT_YET = Trouble("error", "RuntimeError", "attempt 1 fails; attempt 2 will work")

SYNC = Kind("http", "sync customers", 9, sync, "sync", "medium", "Database", "Sync customers from the CRM",
            trouble=BUSY, trouble_share=0.04)  # fmt: skip
FLAKY = Kind("python", "demo.flaky", 3, flaky, trouble=NOT_YET)
NIGHTLY = Kind("python", "nightly primes", 0, all_primes, "batch", "low", "Application", "Nightly report", "ada")
BACKUP = Kind("shell", "backup check", 0, backup, "batch", "low", "Database", "Check last night's backup", "ada")

ACME = (
    Kind("python", "demo.add", 16, add),
    Kind("python", "demo.primes", 14, primes, "batch", "low"),
    Kind("python", "demo.word_count", 8, word_count),
    FLAKY,
    Kind("python", "demo.wait", 4, wait),
    Kind("http", "http", 4, check, category="Infrastructure"),
    Kind("http", "health check", 15, check, "default", "high", "Infrastructure", "Is the web up?", "ada"),
    SYNC,
    Kind("http", "fetch prices", 9, prices, "sync", "high", "Network", trouble=SLOW, trouble_share=0.02),
    Kind("shell", "shell", 4, hello, category="Infrastructure"),
    Kind("shell", "say hello", 8, hello, category="Infrastructure"),
    Kind("shell", "count up", 6, numbers, "batch", "low", "Infrastructure"),
)

GLOBEX = (
    Kind("python", "demo.add", 3, add, user="gwen"),
    Kind("http", "health check", 5, check, "default", "high", "Infrastructure", user="gwen"),
    Kind("python", "demo.primes", 2, primes, "batch", user="gwen"),
)


def dead_letters() -> list[Dead]:
    """Failures that can be replayed: some will work with another payload, some need the other side to come back."""
    always = Kind("python", "demo.fail_always", 0, add, title="Send the monthly statements", user="ada")
    missing = Kind("shell", "list exports", 0, numbers, "batch", "medium", "Infrastructure", "List today's exports")
    lookup = Kind("http", "sync customers", 0, sync, "sync", "medium", "Network", "Sync customers from the CRM")
    hurried = Kind("python", "demo.wait", 0, wait, "default", "low", title="Wait for the nightly import")
    reason = "The mail server refused the message."
    return [
        *[Dead(always, Trouble("error", "RuntimeError", reason),
               task("fail_always", reason=reason), 6)] * 4,
        *[Dead(missing, Trouble("error", "ExitStatus", "ls: exit code 2: ls: cannot access '/srv/exports': "
                                                       "No such file or directory"),
               {"argv": ["/bin/ls", "/srv/exports"]}, 22)] * 3,
        *[Dead(lookup, Trouble("error", "ConnectionTrouble", "crm.example.com could not be looked up: "
                                                             "Name or service not known"),
               {"method": "POST", "url": "https://crm.example.com/sync", "json": {"since": "yesterday"}}, 40)] * 3,
        *[Dead(hurried, Trouble("timeout", "Timeout", "Ran longer than its timeout of 5 s."),
               task("wait", seconds=60), 5_010, 2, 5)] * 2,
    ]  # fmt: skip
