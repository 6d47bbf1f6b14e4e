"""Functions decorated with @task of Django Tasks, which only tests run."""

import asyncio
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from django_tasks import TaskContext, task

from jobs.backend import using_org
from jobs.handlers.base import PermanentFailure
from jobs.models import Job

# What ran, in order.
RAN: list[str] = []
# Set by tests to let tasks go on; by name.
GATES: dict[str, threading.Event] = defaultdict(threading.Event)


@task
def nothing(*args: Any, **kwargs: Any) -> None:
    """Take anything, answer nothing."""


@task()
async def nothing_async(*args: Any, **kwargs: Any) -> None: ...


@task
def meaning_of_life() -> int:
    return 42


@task
def echo(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": args, "kwargs": kwargs}


@task
async def count_jobs_async(least: int) -> bool:
    """Use the ORM in a coroutine."""
    return await Job.objects.acount() >= least


@task
def mark(word: str) -> None:
    RAN.append(word)


@task
def value_error(message: str = "This task failed") -> None:
    raise ValueError(message)


@task
async def value_error_async() -> None:
    raise ValueError("This coroutine failed")


class Trouble(Exception):
    class Deep(Exception): ...


@task
def trouble() -> None:
    raise Trouble.Deep("far down")


@task
def error_in_an_error() -> None:
    raise ValueError(ValueError("This task failed"))


@task
def system_exit() -> None:
    raise SystemExit(1)


@task
def keyboard_interrupt() -> None:
    raise KeyboardInterrupt("not by a person")


@task
def give_up() -> None:
    raise PermanentFailure("no use")


@task
def talkative() -> None:
    raise ValueError("x" * 50_000)


# What no JSON can say, by what it is.
BAD: dict[str, Any] = {"function": echo, "object": object(), "nan": float("nan"), "nul": "a\0b"}


@task
def bad_value(kind: str) -> Any:
    RAN.append(kind)
    return BAD[kind]


@task(takes_context=True)
def own_id(context: TaskContext) -> str:
    return context.task_result.id


@task(takes_context=True)
def about_me(context: TaskContext, greeting: str) -> dict[str, Any]:
    result = context.task_result
    return {
        "greeting": greeting,
        "attempt": context.attempt,
        "status": result.status,
        "workers": result.worker_ids,
        "started": result.started_at is not None,
        "args": result.args,
    }


@task(takes_context=True)
async def attempt_async(context: TaskContext) -> int:
    return context.attempt


@task(takes_context=True)
def works_on_attempt(context: TaskContext, number: int) -> int:
    if context.attempt < number:
        raise ValueError(f"attempt {context.attempt} fails")
    return context.attempt


@task
def enqueue_another() -> str:
    """Belongs where this one does."""
    return nothing.enqueue().id


@task
async def enqueue_another_async() -> str:
    return (await nothing.aenqueue()).id


@task
def enqueue_for(org: str) -> str:
    with using_org(org):
        return nothing.enqueue().id


@task
def until_open(gate: str) -> str:
    GATES[gate].wait(60)
    return "opened"


# As many coroutines as must be there before any goes on.
MEETINGS: dict[int, asyncio.Barrier] = {}


@task
async def meet(others: int) -> str:
    """Wait for the others, beside whom it runs."""
    barrier = MEETINGS.setdefault(others, asyncio.Barrier(others))
    await asyncio.wait_for(barrier.wait(), 20)
    return threading.current_thread().name


@task
async def wait_forever() -> None:
    RAN.append("waits")
    await asyncio.Event().wait()


@task
def until_file(path: str, started: str) -> str:
    """For tests with other processes."""
    Path(started).touch()
    gate = threading.Event()
    while not Path(path).exists():
        gate.wait(0.02)
    return "there"


@task(priority=7)
def of_priority_7() -> None: ...


def plain(a: int) -> int:
    return a + 1


# Not where its function says it is.
hidden = task(plain)
