"""What the tests of the API share."""

from typing import Any

import pytest

from jobs.handlers.python_task import task
from tests.conftest import World
from tests.factories import make_key
from tests.jobs.api.own import Own


@task(name="tests.echo")
def echo(value: Any) -> Any:
    """A task that takes whatever JSON can say."""
    return value


@pytest.fixture
def own(world: World) -> Own:
    """A worker of acme's own."""
    return Own(make_key(world.owner, world.org))
