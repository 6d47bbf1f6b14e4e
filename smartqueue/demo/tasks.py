"""Tasks of the demo organisation: what an operator's own module looks like."""

from jobs.handlers.python_task import task


@task
def add(a: int, b: int) -> int:
    return a + b
