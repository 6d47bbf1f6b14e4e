"""sq queues: what waits where and until when; pause and resume, close and reopen."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.types import Queue

ABOUT = """\
examples:
  sq queues
  sq queues pause reports --reason "The mail server is down"
  sq queues pause reports --for 3600
  sq queues resume reports
  sq queues close reports --reason "Moving to mail"
"""
TITLES = ("QUEUE", "STATE", "QUEUED", "EMPTY IN", "RUNNING", "SCHEDULED", "FAILED", "DONE", "REASON")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "queues",
        parents=[shared],
        help="queues, their jobs; pause, resume, close, reopen",
        epilog=ABOUT,
        formatter_class=EXAMPLES,
    )
    parser.add_argument("act", nargs="?", choices=["pause", "resume", "close", "reopen"])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--reason", default="", help="of a pause, or of closing")
    parser.add_argument("--for", type=float, dest="seconds", metavar="SECONDS", help="how long a pause lasts")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    if (asked.act is None) != (asked.name is None):
        asked.usage("which queue?")
    client = client_of(asked)
    if asked.act is None:
        found = list(client.queues())
    elif asked.act == "pause":
        found = [client.pause(asked.name, reason=asked.reason, seconds=asked.seconds)]
    elif asked.act == "close":
        found = [client.close_queue(asked.name, reason=asked.reason)]
    elif asked.act == "reopen":
        found = [client.reopen_queue(asked.name)]
    else:
        found = [client.resume(asked.name)]
    if output.human:
        output.table(TITLES, [row(queue) for queue in found])
    else:
        for queue in found:
            output.json(queue)
    return 0


def row(queue: Queue) -> list[Any]:
    counts, seconds = queue["counts"], queue["empty_in_seconds"]
    words = [word for word in ("paused", "closed", "late") if queue[word]]
    return [
        queue["name"],
        ", ".join(words) or "open",
        counts["queued"],
        "" if seconds is None else f"{seconds:.0f} s",
        counts["running"],
        counts["scheduled"],
        counts["failed"],
        counts["done"],
        queue["pause_reason"] or queue["close_reason"],
    ]
