"""sq logs: what a job has logged, and goes on to log."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.commands.common import client_of, output_of, whole
from smartqueue_client.output import clean


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("logs", parents=[shared], help="the log of a job")
    parser.add_argument("id")
    parser.add_argument("-f", "--follow", action="store_true", help="and what is to come, until it has ended")
    parser.add_argument("--attempt", type=whole, help="of this attempt only")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    for line in client.logs(asked.id, attempt=asked.attempt, follow=asked.follow):
        if output.human:
            output.line(f"{line['at'][11:19]} {line['attempt']} {line['stream']:<6} {clean(line['text'])}")
        else:
            output.json(line)
    return 0
