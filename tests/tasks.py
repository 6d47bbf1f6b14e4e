"""Tasks that only tests run."""

import asyncio
import logging
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from jobs.handlers.base import Context, PermanentFailure, Stopped, running
from jobs.handlers.python_task import task


@dataclass
class Receipt:
    total: Decimal
    at: datetime


# Results that no database can keep, by what is wrong with them.
BAD: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf")],
    "bytes": lambda: {"data": b"raw"},
    "nul": lambda: "a\0b",
    "nul_key": lambda: {"a\0b": 1},
    "surrogate": lambda: "\ud800",
    "object": object,
    "huge": lambda: "x" * 100_000_000,
    "wide": lambda: list(range(1_000_000)),
    "itself": lambda: itself(),
    "long_number": lambda: 10**5000,
}


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@task
def bad_result(kind: str) -> Any:
    """Return what cannot be kept."""
    return BAD[kind]()


@task
def receipt() -> Receipt:
    return Receipt(Decimal("9.90"), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@task(name="tests.named")
def has_another_name() -> str:
    return "called by its given name"


@task
def give_up(reason: str) -> None:
    raise PermanentFailure(reason)


@task
def leave() -> None:
    """What a task should not do: end the process."""
    sys.exit(3)


@task
def stop_unasked() -> None:
    raise Stopped("says who?")


@task
def fail_with(message: str) -> None:
    raise ValueError(message)


@task
def about_me(context: Context, greeting: str = "hello") -> dict[str, Any]:
    """Use all that a context offers but files."""
    context.log(f"{greeting} from attempt {context.attempt}")
    context.progress(0.5, "half way")
    return {"attempt": context.attempt, "correlation_id": context.correlation_id}


# Set by tests in the same process to let the tasks below go on; by name.
GATES: dict[str, threading.Event] = defaultdict(threading.Event)


@task
def until_released(context: Context, gate: str) -> str:
    """Wait for a gate as a good task does: it ends when asked to stop."""
    while not GATES[gate].wait(0.01):
        context.check_stopped()
    return "released"


@task
def stubborn(gate: str) -> str:
    """Wait for a gate and listen to nobody."""
    GATES[gate].wait(60)
    return "released"


@task
def chatty(context: Context, gate: str, lines: int = 3) -> str:
    """Log, then wait for a gate."""
    for number in range(lines):
        context.log(f"line {number}")
    return until_released(context, gate)


@task
def chatty_until_file(context: Context, path: str) -> None:
    """Log, then wait for a file, then log again: for tests in other processes."""
    context.log("before")
    while not Path(path).exists():
        time.sleep(0.05)
        context.check_stopped()
    context.log("after")


@task
def half(context: Context) -> None:
    """Report progress that is no number."""
    context.progress(float("nan"))


@task
def count_users() -> int:
    """Use the ORM, as tasks of an operator may."""
    return get_user_model().objects.count()


@task
def leave_a_transaction_open() -> bool:
    transaction.atomic().__enter__()
    return connection.in_atomic_block


@task
def mark(context: Context, path: str) -> float:
    """Leave a line in a file, and answer with the time at which it began: for tests with other processes."""
    began = time.time()
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{context.job_id} {context.attempt}\n")
    return began


@task
def until_file(context: Context, path: str, started: str = "") -> int:
    """Wait until there is a file; answers with the number of its attempt."""
    if started:
        mark(context, started)
    while not Path(path).exists():
        if context.wait(0.02):
            context.check_stopped()
    return context.attempt


# Made by tests in the same process: who waits there goes on when all have come.
BARRIERS: dict[str, threading.Barrier] = {}
# What the tasks below have begun, in that order.
BEGUN: list[str] = []


@task
def meet(barrier: str) -> str:
    """Wait, holding a thread, until as many as the barrier is for do the same."""
    BARRIERS[barrier].wait(30)
    return "met"


@task
def begin(name: str, gate: str = "") -> None:
    """Say so, and wait for a gate."""
    BEGUN.append(name)
    if gate:
        GATES[gate].wait(60)


# How many wait in gather_async() now.
GATHERED: dict[str, list[asyncio.Event]] = defaultdict(list)


@task
async def gather_async(key: str, parties: int) -> int:
    """Wait, holding no thread, until so many do the same; all on one event loop."""
    ours = asyncio.Event()
    GATHERED[key].append(ours)
    if len(GATHERED[key]) == parties:
        for event in GATHERED[key]:
            event.set()
    await ours.wait()
    return threading.get_ident()


@task
async def sleep_async(context: Context, seconds: float) -> str:
    """Say when it sleeps, as one that is told to stop shows."""
    context.log("asleep")
    await asyncio.sleep(seconds)
    return "awake"


@task
async def fail_async(message: str) -> None:
    await asyncio.sleep(0)
    raise ValueError(message)


@task
async def leave_async() -> None:
    await asyncio.sleep(0)
    sys.exit(3)


@task
async def about_me_async(context: Context) -> dict[str, Any]:
    """Use all that a context offers but files."""
    context.log(f"hello from attempt {context.attempt}")
    await asyncio.sleep(0)
    context.progress(0.5, "half way")
    current = running.get()
    return {"attempt": context.attempt, "running": str(current.job_id) if current else ""}


@task
async def deaf_async(gate: str) -> str:
    """Go on whatever is asked."""
    while not GATES[gate].is_set():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
    return "released"


@task
def mark_when(context: Context, gate: str, path: str) -> int:
    """Wait for a file, then leave a line in another, which is the last thing it does."""
    answer = until_file(context, gate)
    mark(context, path)
    return answer


@task
def nap(seconds: float, note: str) -> None:
    """Takes so long, and has so much to say for it."""
    time.sleep(seconds)


@task
def mark_and_wait(context: Context, path: str, seconds: float) -> None:
    """Leave a line in a file, which is the first thing it does, and listen while it waits."""
    mark(context, path)
    context.wait(seconds)
    context.check_stopped()


def seen(context: Context, value: str, password: str = "") -> dict[str, Any]:
    """Say what was given, in more than one place."""
    context.log(f"log {value}")
    return {"length": len(value), "said": value, value: 1} | ({"password": password} if password else {})


@task
def named_value(context: Context, value: str, password: str = "") -> dict[str, Any]:
    return seen(context, value, password)


@task
async def named_value_async(context: Context, value: str) -> dict[str, Any]:
    await asyncio.sleep(0)
    return seen(context, value)


@task(secret=("pin", "codes"))
def safe(context: Context, pin: str, codes: list[str] = [], note: str = "") -> dict[str, Any]:  # noqa: B006
    """Say everything."""
    context.log(f"tried {pin} {codes}")
    return {"said": pin, "codes": codes, "note": note}


@task(transactional=True)
def named_value_transactional(context: Context, value: str) -> dict[str, Any]:
    return seen(context, value)


@task
def leak(context: Context, value: str) -> None:
    """Tell it everywhere that a task in a thread can, and raise with it."""
    print(f"thread printed {value}")
    context.log(f"logged {value}")
    logging.getLogger(__name__).warning("in a thread: %s", value, extra={"value": value})
    dying = threading.Thread(target=fail_with, args=[f"a thread of its own: {value}"])
    dying.start()
    dying.join()
    raise ValueError(f"bad {value}")


@task
def submit_some(context: Context, count: int, gate: str = "", options: dict[str, Any] = {}) -> list[str]:  # noqa: B006
    """Submit jobs, then fail in the first attempt when there is a gate; each attempt makes the same calls."""
    ids = [context.enqueue("python", ADD_ONE | {"kwargs": {"a": n, "b": 1}}, **options) for n in range(count)]
    if gate and context.attempt == 1:
        raise ValueError("after the submit")
    return ids


ADD_ONE: dict[str, Any] = {"task": "demo.add"}


@task
async def submit_async(context: Context, count: int) -> list[str]:
    """Submit jobs side by side, while the event loop goes on."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    beating = asyncio.create_task(beat())
    calls = [context.enqueue_async("python", ADD_ONE | {"kwargs": {"a": n, "b": 1}}) for n in range(count)]
    ids = await asyncio.gather(*calls)
    beating.cancel()
    assert beats
    return ids


@task(files=True)
def copy_upper(context: Context, artefact: str) -> str:
    """Read a file and leave one behind."""
    given = context.copy_artefact(artefact, "in")
    context.path("out").write_bytes(given.path.read_bytes().upper())
    return context.artefact_file(f"upper-{given.name}", context.path("out"), given.content_type)
