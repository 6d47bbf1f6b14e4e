"""sq submit: one job, or many out of a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, client_of, output_of, payload_of, seconds, tell_end, whole
from smartqueue_client.output import Output, clean
from smartqueue_client.types import BulkItem, NewJob

ABOUT = """\
examples:
  sq submit http '{"url": "https://example.com/report"}' --wait
  sq submit etl @pipeline.json --queue nightly --delay 3600
  generate | sq submit python -
  sq submit --many jobs.jsonl          one job a line: {"type": …, "payload": …, "queue": …}
"""
# Argument: field of the API.
WORDS = ("name", "queue", "title", "description", "urgency", "category", "run_at", "limit_key")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "submit", parents=[shared], help="submit a job, or many", epilog=ABOUT, formatter_class=EXAMPLES
    )
    parser.add_argument("type", nargs="?", help="http, etl, python, …: GET /job-types/ shows them")
    parser.add_argument("payload", nargs="?", default="{}", help="JSON; @file, or - for standard input")
    parser.add_argument("--many", metavar="FILE", help="a file of JSON lines, or -; each with its own outcome")
    for word in WORDS:
        parser.add_argument(f"--{word.replace('_', '-')}", dest=word)
    parser.add_argument(
        "--tag", action="append", dest="tags", metavar="WORD", help="to find it by; several may be given"
    )
    parser.add_argument("--delay", type=seconds, metavar="SECONDS", dest="delay_seconds")
    parser.add_argument("--timeout", type=whole, metavar="SECONDS", dest="timeout_seconds", help="of each attempt")
    parser.add_argument("--max-attempts", type=whole, dest="max_attempts")
    parser.add_argument("--after", action="append", metavar="ID", help="a job that must be done first")
    parser.add_argument("--idempotency-key", metavar="KEY", dest="idempotency_key")
    parser.add_argument("--wait", nargs="?", type=seconds, const=-1.0, metavar="SECONDS",
                        help="until it has ended, at most so long; exit code 1 when it is not done then")  # fmt: skip
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    if (asked.type is None) == (asked.many is None):
        asked.usage("give a type, or --many")
    client = client_of(asked)
    if asked.many is not None:
        return many(client, output, asked.many)
    numbers = ("delay_seconds", "timeout_seconds", "max_attempts", "tags", "after", "idempotency_key")
    given: dict[str, Any] = {word: getattr(asked, word) for word in (*WORDS, *numbers)}
    job = client.submit(asked.type, payload_of(asked.payload), **given)
    if asked.wait is None:
        if output.human:
            output.line(f"{job['id']} is {output.colour(job['status'])} in {clean(job['queue'])}")
        else:
            output.json(job)
        return 0
    if output.human:
        output.say(f"{job['id']} is {job['status']}; waiting")
    return tell_end(output, client.wait(job["id"], timeout=None if asked.wait < 0 else asked.wait))


def many(client: Client, output: Output, name: str) -> int:
    """0 when all are stored, 3 when some were refused; each is told of."""
    refused = stored = 0
    for item in client.submit_many(jobs_in(name)):
        refused, stored = (refused + 1, stored) if item["status"] == "refused" else (refused, stored + 1)
        if not output.human:
            output.json(item)
        elif item["status"] == "refused":
            output.say(f"line {item['index'] + 1}: {why(item)}")
    output.say(f"{stored} stored, {refused} refused")
    return 3 if refused else 0


def why(item: BulkItem) -> str:
    fields = [f"{one['pointer']}: {one['detail']}" for one in item.get("errors", [])]
    return clean(" ".join([item.get("detail", ""), *fields]))


def jobs_in(name: str) -> Iterator[NewJob]:
    """Raises ValueError, with the line."""
    with sys.stdin if name == "-" else Path(name).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                job = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} of {name} is no JSON: {error}") from error
            if not isinstance(job, dict):
                raise ValueError(f"line {number} of {name} is not a JSON object")
            yield job  # type: ignore[misc]
