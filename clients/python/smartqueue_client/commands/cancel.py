"""sq cancel: jobs that shall not run, or not go on."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.commands.many import add_many, begin
from smartqueue_client.errors import Conflict, NotFound
from smartqueue_client.output import clean

ABOUT = """\
examples:
  sq cancel ID ID --reason "Sent twice"
  sq cancel --all --queue etl --dry-run
  sq cancel --all --queue etl --type http --yes
"""
NARROWING = (
    "status",
    "type",
    "queue",
    "urgency",
    "category",
    "creator",
    "name",
    "q",
    "created_after",
    "created_before",
)


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("cancel", parents=[shared], help="cancel jobs", epilog=ABOUT, formatter_class=EXAMPLES)
    parser.add_argument("ids", nargs="*", metavar="id")
    parser.add_argument("--reason", default="")
    parser.add_argument("--all", action="store_true", help="every job that matches and has not ended")
    add_many(parser, NARROWING)
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    wanted = {word: getattr(asked, word) for word in NARROWING if getattr(asked, word) is not None}
    if bool(asked.ids) == asked.all or ((wanted or asked.rate) and not asked.all):
        asked.usage("give ids, or --all, which may be narrowed")
    output, client = output_of(asked), client_of(asked)
    if asked.all:
        if "status" in wanted:
            wanted["status"] = wanted["status"].split(",")
        return begin(client, output, asked, "cancel", asked.reason, wanted)
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
