"""sq change: jobs that wait get another urgency, another queue, or another time."""

from __future__ import annotations

import argparse
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, client_of, output_of
from smartqueue_client.errors import Conflict, NotFound
from smartqueue_client.output import clean
from smartqueue_client.types import Job

ABOUT = """\
examples:
  sq change ID --urgency high
  sq change ID ID --queue reports --reason "The other one is full"
  sq change ID --snooze 3600
  sq change ID --until 2027-01-01T06:00:00Z
  sq change ID --now
"""


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "change",
        parents=[shared],
        help="urgency, queue or time of jobs that wait",
        epilog=ABOUT,
        formatter_class=EXAMPLES,
    )
    parser.add_argument("ids", nargs="+", metavar="id")
    parser.add_argument("--urgency", choices=("high", "medium", "low"), default="")
    parser.add_argument("--queue", default="")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--snooze", type=float, metavar="SECONDS", help="put off for so long")
    when.add_argument("--until", metavar="TIME", help="put off until then: 2027-01-01T06:00:00Z")
    when.add_argument("--now", action="store_true", help="what is due later is queued at once")
    parser.add_argument("--reason", default="")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    if not (asked.urgency or asked.queue or asked.now) and asked.snooze is None and asked.until is None:
        asked.usage("say what to change: --urgency, --queue, --snooze, --until or --now")
    code = 0
    for job_id in asked.ids:
        try:
            job = changed(client, job_id, asked)
        except (Conflict, NotFound) as error:
            # the others are changed all the same
            output.say(f"sq: {clean(job_id)}: {error}")
            code = 3
            continue
        if output.human:
            output.line(f"{job['id']} is {output.colour(job['status'])} in {job['queue']}, urgency {job['urgency']}")
        else:
            output.json(job)
    return code


def changed(client: Client, job_id: str, asked: argparse.Namespace) -> Job:
    """By the calls that it takes; there is at least one."""
    job: Job | None = None
    if asked.urgency or asked.queue:
        job = client.change(job_id, urgency=asked.urgency, queue=asked.queue, reason=asked.reason)
    if asked.now:
        job = client.run_now(job_id, reason=asked.reason)
    elif asked.snooze is not None or asked.until is not None:
        job = client.snooze(job_id, seconds=asked.snooze, until=asked.until, reason=asked.reason)
    assert job is not None
    return job
