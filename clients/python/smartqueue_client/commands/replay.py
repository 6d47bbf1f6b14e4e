"""sq replay: send dead letters back."""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, client_of, output_of, payload_of
from smartqueue_client.commands.many import add_many, begin
from smartqueue_client.output import Output

ABOUT = """\
examples:
  sq replay ID
  sq replay ID --payload @mended.json
  sq replay ID ID ID
  sq replay --all --queue reports --error-type Timeout
  sq replay --all --queue reports --rate 10
"""
NARROWING = ("type", "queue", "error_type", "q", "failed_after", "failed_before")
MANY = 1_000


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "replay", parents=[shared], help="send dead letters back", epilog=ABOUT, formatter_class=EXAMPLES
    )
    parser.add_argument("ids", nargs="*", metavar="id")
    parser.add_argument("--payload", help="another one, of a single job: JSON; @file, or - for standard input")
    parser.add_argument("--all", action="store_true", help="every dead letter that matches")
    add_many(parser, NARROWING)
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    wanted = {word: getattr(asked, word) for word in NARROWING if getattr(asked, word) is not None}
    if bool(asked.ids) == asked.all or ((wanted or asked.rate) and not asked.all):
        asked.usage("give ids, or --all, which may be narrowed")
    if asked.payload is not None and len(asked.ids) != 1:
        asked.usage("--payload is for a single job")
    client = client_of(asked)
    if asked.all and asked.rate is not None:
        # by the scheduler, and in its own time
        return begin(client, output, asked, "replay", "", wanted)
    if asked.all:
        return every(client, output, asked, wanted)
    if len(asked.ids) == 1:
        job = client.replay(asked.ids[0], payload=None if asked.payload is None else payload_of(asked.payload))
        if output.human:
            output.line(f"{job['id']} is {output.colour(job['status'])} again, life {job['life']}")
        else:
            output.json(job)
        return 0
    return told(output, client.replay_many(asked.ids), len(asked.ids))


def every(client: Client, output: Output, asked: argparse.Namespace, wanted: dict[str, str]) -> int:
    asks = output.human and sys.stdin.isatty() and not asked.yes
    if asked.dry_run or asks:
        count = sum(1 for _ in islice(client.dead_letters(**wanted), MANY))
        words = f"{count}{' or more' if count == MANY else ''} dead letters match"
        if asked.dry_run:
            output.line(words) if output.human else output.json({"matching": count, "more": count == MANY})
            return 0
        output.say(f"{words}. Send them back? [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 2
    return told(output, client.replay_all(**wanted))


def told(output: Output, replayed: int, of: int | None = None) -> int:
    if output.human:
        output.line(f"{replayed} sent back")
    else:
        output.json({"replayed": replayed})
    if of is not None and replayed < of:
        output.say(f"sq: {of - replayed} of these are no dead letters, or there is no room for them")
        return 3
    return 0
