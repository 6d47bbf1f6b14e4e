"""A process that runs one shell job, for tests that kill it: `python -m tests.jobs.handlers.doomed <argv as JSON>`."""

import json
import sys

import django

django.setup()

from jobs.handlers import registry  # noqa: E402 needs the settings
from tests.jobs.handlers.fakes import make_context  # noqa: E402

if __name__ == "__main__":
    registry.get("shell").perform(make_context("shell", {"argv": json.loads(sys.argv[1])}, timeout_seconds=600))
