"""What the measured jobs do."""

from bench.peers.counter import count
from jobs.handlers.python_task import task


@task(name="bench.noop")
def noop() -> None:
    """Nothing but to be counted: what is measured is the queue."""
    count()
