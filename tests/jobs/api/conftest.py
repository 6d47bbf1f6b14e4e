"""What the tests of the API share."""

from typing import Any

from jobs.handlers.python_task import task


@task(name="tests.echo")
def echo(value: Any) -> Any:
    """A task that takes whatever JSON can say."""
    return value
