"""What commands share that act on all jobs which match: count, ask, begin."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.output import Output


def add_many(parser: argparse.ArgumentParser, narrowing: tuple[str, ...]) -> None:
    """The options of such a command, apart from --all."""
    for word in narrowing:
        parser.add_argument(f"--{word.replace('_', '-')}", dest=word)
    parser.add_argument("--rate", type=float, help="no more jobs a second than this")
    parser.add_argument("--dry-run", action="store_true", help="only say how many those are")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def begin(
    client: Client, output: Output, asked: argparse.Namespace, kind: str, reason: str, wanted: dict[str, Any]
) -> int:
    """Count, ask a person, and begin; what is begun goes on without this command."""
    found = client.count_bulk(kind, **wanted)
    words = f"{found['matched']}{' or more' if found['more'] else ''} jobs match"
    if asked.dry_run:
        output.line(words) if output.human else output.json({"matching": found["matched"], "more": found["more"]})
        return 0
    if output.human and sys.stdin.isatty() and not asked.yes:
        output.say(f"{words}. {kind.capitalize()} them? [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 2
    made = client.bulk(kind, reason=reason, rate=asked.rate, **wanted)
    if output.human:
        output.line(f"bulk operation {made['id']}: {kind} {words.removesuffix(' match')}")
    else:
        output.json(made)
    return 0
