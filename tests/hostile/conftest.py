"""acme, full."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.conftest import World, may_idle
from tests.factories import some_weights
from tests.hostile.rows import Filled, fill

# a task that takes whatever it is given
from tests.jobs.api import conftest as echo
from tests.rights.conftest import acme, clients, one_acme

__all__ = ["acme", "clients", "echo", "one_acme"]


@pytest.fixture(scope="session")
def weights() -> bytes:
    """Trained before there is a transaction, which may not wait for it."""
    return some_weights()


@pytest.fixture
def filled(weights: bytes, world: World, settings: Settings, tmp_path: Any) -> Filled:
    settings.MEDIA_ROOT = str(tmp_path)
    may_idle()
    return fill(world)
