"""sq: one file a command, in commands/."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from smartqueue_client import __version__
from smartqueue_client.api import Client
from smartqueue_client.commands import work

COMMANDS = (work,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="sq", description="SmartQueue. SMARTQUEUE_URL says where it is, SMARTQUEUE_KEY who you are."
    )
    parser.add_argument("--version", action="version", version=f"sq {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    missing = [name for name in ("SMARTQUEUE_URL", "SMARTQUEUE_KEY") if not os.environ.get(name)]
    if missing:
        parser.error(f"set {' and '.join(missing)}")
    try:
        client = Client(os.environ["SMARTQUEUE_URL"], os.environ["SMARTQUEUE_KEY"])
    except ValueError as error:
        parser.error(f"SMARTQUEUE_URL: {error}")
    code: int = asked.run(client, asked)
    return code
