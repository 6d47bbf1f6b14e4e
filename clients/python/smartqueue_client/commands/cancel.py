"""sq cancel: jobs that shall not run, or not go on."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.commands.common import client_of, output_of
from smartqueue_client.errors import Conflict, NotFound
from smartqueue_client.output import clean


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("cancel", parents=[shared], help="cancel jobs")
    parser.add_argument("ids", nargs="+", metavar="id")
    parser.add_argument("--reason", default="")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    code = 0
    for job_id in asked.ids:
        try:
            became = client.cancel(job_id, reason=asked.reason)
        except (Conflict, NotFound) as error:
            # the others are cancelled all the same
            output.say(f"sq: {clean(job_id)}: {error}")
            code = 3
            continue
        if output.human:
            output.line(f"{became['id']} is {output.colour(became['became'])}")
        else:
            output.json(became)
    return code
