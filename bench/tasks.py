"""What the measured jobs do."""

from bench.peers.counter import count
from jobs.handlers.python_task import task


@task(name="bench.noop")
def noop(number: int = -1) -> None:
    """Nothing but to be counted: what is measured is the queue."""
    count(number)


@task(name="bench.fail")
def fail() -> None:
    """To be tried again later."""
    raise RuntimeError("bench: to be retried")


@task(name="bench.isolated", isolated=True)
def isolated() -> None:
    """Nothing, in a process of its own."""
