"""sq workers: the pool, and telling a worker to be quiet, to go on, or to stop."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.errors import ApiError
from smartqueue_client.output import clean
from smartqueue_client.types import Process

ABOUT = """\
examples:
  sq workers
  sq workers quiet ID --reason "The disk is full"
  sq workers resume web-3
  sq workers stop ID ID

quiet: takes no more jobs; resume: takes them again; stop: finishes what runs, and ends. A worker is named by its id, or
by its name where one of those that live has it. It says when it obeys: OBEYED.
"""
TITLES = ("ID", "NAME", "KIND", "STATUS", "SLOTS", "RUNNING", "QUEUES", "TOLD", "OBEYED")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "workers",
        parents=[shared],
        help="workers; tell them to be quiet, to go on, to stop",
        epilog=ABOUT,
        formatter_class=EXAMPLES,
    )
    parser.add_argument("act", nargs="?", choices=["quiet", "resume", "stop"])
    parser.add_argument("workers", nargs="*", metavar="worker")
    parser.add_argument("--reason", default="")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    if asked.act is not None and not asked.workers:
        asked.usage("which worker?")
    client = client_of(asked)
    code = 0
    if asked.act is None:
        found = list(client.workers())
    else:
        found = []
        for word in asked.workers:
            try:
                found.append(client.command_worker(id_of(client, word), asked.act, reason=asked.reason))
            except (ApiError, Unclear) as error:
                # the others are told all the same
                output.say(f"sq: {clean(word)}: {error}")
                code = 3
    if output.human:
        output.table(TITLES, [row(process) for process in found])
    else:
        for process in found:
            output.json(process)
    return code


class Unclear(Exception):
    """A name that several workers have."""


def id_of(client: Client, word: str) -> str:
    """Of the worker that is called so, if one is; else the word itself. Raises Unclear."""
    named = [one["id"] for one in client.workers() if one["kind"] == "worker" and one["name"] == word and lives(one)]
    if len(named) > 1:
        raise Unclear(f"{len(named)} workers have this name: give an id")
    return named[0] if named else word


def lives(process: Process) -> bool:
    return process["stopped_at"] is None


def row(process: Process) -> list[Any]:
    return [
        process["id"],
        process["name"],
        process["kind"],
        process["status"],
        process["slots"],
        len(process["running"]),
        " ".join(process["queues"]),
        process["command"],
        process["obeyed_at"] or "",
    ]
