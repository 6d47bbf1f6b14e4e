"""sq queues: what waits where; pause and resume."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.types import Queue

ABOUT = """\
examples:
  sq queues
  sq queues pause reports --reason "The mail server is down"
  sq queues resume reports
"""
TITLES = ("QUEUE", "STATE", "QUEUED", "RUNNING", "SCHEDULED", "FAILED", "DONE", "REASON")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "queues", parents=[shared], help="queues, their jobs; pause, resume", epilog=ABOUT, formatter_class=EXAMPLES
    )
    parser.add_argument("act", nargs="?", choices=["pause", "resume"])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--reason", default="", help="of a pause")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    if (asked.act is None) != (asked.name is None):
        asked.usage("which queue?")
    client = client_of(asked)
    if asked.act is None:
        found = list(client.queues())
    elif asked.act == "pause":
        found = [client.pause(asked.name, reason=asked.reason)]
    else:
        found = [client.resume(asked.name)]
    if output.human:
        output.table(TITLES, [row(queue) for queue in found])
    else:
        for queue in found:
            output.json(queue)
    return 0


def row(queue: Queue) -> list[Any]:
    counts = queue["counts"]
    return [
        queue["name"],
        "paused" if queue["paused"] else "open",
        counts["queued"],
        counts["running"],
        counts["scheduled"],
        counts["failed"],
        counts["done"],
        queue["pause_reason"],
    ]
