"""What the jobs of a live replay do: occupy a slot for as long as the run that they stand for."""

import time

from jobs.handlers.python_task import task

MODULE = __name__


@task(name="simulation.occupy")
def occupy(seconds: float) -> None:
    """Hold a worker's slot."""
    time.sleep(seconds)
