"""What the measured jobs do."""

import time

from jobs.handlers.python_task import task


@task(name="bench.noop")
def noop() -> None:
    """Nothing: what is measured is the queue."""


@task(name="bench.moment")
def moment() -> int:
    """When the handler began, in nanoseconds of the host's monotonic clock, which all processes share."""
    return time.monotonic_ns()
