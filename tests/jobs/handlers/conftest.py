from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers import sandbox
from tests.jobs.handlers.filed import assert_was_confined
from tests.jobs.handlers.server import Server, serving
from tests.jobs.handlers.shop import Shop


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


@pytest.fixture(params=["bubblewrap", "none"])
def way(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Each way of running a program; and a shell, so that tests can be nasty."""
    if request.param == "bubblewrap" and (why_not := sandbox.sandbox_fault()):
        pytest.skip(f"NOT TESTED IN THE SANDBOX: {why_not}")
    settings.SHELL_SANDBOX = "required" if request.param == "bubblewrap" else "off"
    settings.SHELL_PROGRAMS = [*settings.SHELL_PROGRAMS, "/bin/sh"]
    return str(request.param)


@pytest.fixture
def shop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Shop]:
    yield Shop(tmp_path)
    assert_was_confined(caplog)
