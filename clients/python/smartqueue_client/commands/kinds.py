"""sq kinds: what is paused besides queues; pause and resume a kind of jobs, or the whole organisation."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.types import KindPause

ABOUT = """\
examples:
  sq kinds
  sq kinds pause python nightly-sum --reason "The sums are wrong"
  sq kinds pause http --for 3600
  sq kinds resume python nightly-sum
  sq kinds pause --all --reason "Upgrade"
  sq kinds resume --all
"""
TITLES = ("TYPE", "NAME", "SINCE", "UNTIL", "BY", "REASON")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "kinds",
        parents=[shared],
        help="kinds of jobs that are paused; pause, resume",
        epilog=ABOUT,
        formatter_class=EXAMPLES,
    )
    parser.add_argument("act", nargs="?", choices=["pause", "resume"])
    parser.add_argument("type", nargs="?")
    parser.add_argument("name", nargs="?", default="", help="of jobs of this type; without it, all of the type")
    parser.add_argument("--all", action="store_true", help="the whole organisation")
    parser.add_argument("--reason", default="")
    parser.add_argument("--for", type=float, dest="seconds", metavar="SECONDS", help="how long a pause lasts")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    if asked.act is not None and (asked.type is None) != asked.all:
        asked.usage("which kind? a type, with a name where it is of one; or --all")
    client = client_of(asked)
    if asked.act == "resume":
        pause = pause_of(client, asked.type or "", asked.name)
        if pause is None:
            output.say("sq: that is not paused")
            return 3
        client.resume_kind(pause["id"])
        found = [pause]
        if output.human:
            output.line(f"{' '.join(filter(None, (pause['type'], pause['name']))) or 'the organisation'} goes on")
            return 0
    elif asked.act == "pause":
        found = [client.pause_kind(asked.type or "", asked.name, reason=asked.reason, seconds=asked.seconds)]
    else:
        found = list(client.pauses())
    if output.human:
        output.table(TITLES, [row(pause) for pause in found])
    else:
        for pause in found:
            output.json(pause)
    return 0


def pause_of(client: Client, type: str, name: str) -> KindPause | None:
    found = (pause for pause in client.pauses() if (pause["type"], pause["name"]) == (type, name))
    return next(found, None)


def row(pause: KindPause) -> list[Any]:
    return [
        pause["type"] or "all",
        pause["name"],
        pause["paused_at"],
        pause["resume_at"] or "",
        pause["paused_by"] or "",
        pause["reason"],
    ]
