"""Today's settings, with migrations of tomorrow."""

from smartqueue.settings import *  # noqa: F403

MIGRATION_MODULES = {"jobs": "tests.scenarios.expand.migrations"}
