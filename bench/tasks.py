"""What the measured jobs do."""

import time

from bench.peers.counter import count
from jobs.handlers.python_task import task


@task(name="bench.noop")
def noop(number: int = -1) -> None:
    """Nothing but to be counted: what is measured is the queue."""
    count(number)


@task(name="bench.nap")
def nap(milliseconds: float) -> None:
    """A slot is taken, and no processor."""
    time.sleep(milliseconds / 1_000)


@task(name="bench.fail")
def fail() -> None:
    """To be tried again later."""
    raise RuntimeError("bench: to be retried")


@task(name="bench.isolated", isolated=True)
def isolated() -> None:
    """Nothing, in a process of its own."""
