"""sq list: jobs, or dead letters."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import islice
from typing import Any

from smartqueue_client.commands.common import EXAMPLES, client_of, output_of, whole
from smartqueue_client.errors import reason
from smartqueue_client.output import age, milliseconds
from smartqueue_client.types import JobSummary

ABOUT = """\
examples:
  sq list                                   the newest 50
  sq list --status queued,running --queue reports
  sq list --dead --error-type Timeout
  sq list --all --json | jq -r .id          every one that is kept, page by page
"""
SHARED = ("type", "queue", "name", "tag", "worker", "error_type", "fingerprint", "correlation_id", "attempts_min",
          "attempts_max", "runtime_min_ms", "runtime_max_ms", "replayed", "q")  # fmt: skip
OF_JOBS = ("status", "urgency", "category", "creator", "batch", "created_after", "created_before", "finished_after",
           "finished_before", "sort")  # fmt: skip
OF_DEAD = ("failed_after", "failed_before")
TITLES = ("ID", "STATUS", "TYPE", "NAME", "QUEUE", "AGE", "RAN", "ERROR")
LIMIT = 50


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "list", parents=[shared], help="jobs, the newest first", epilog=ABOUT, formatter_class=EXAMPLES
    )
    for word in (*SHARED, *OF_JOBS, *OF_DEAD):
        parser.add_argument(f"--{word.replace('_', '-')}", dest=word)
    parser.add_argument("--dead", action="store_true", help="dead letters, the latest first")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--limit", type=whole, default=LIMIT, help=f"no more than these ({LIMIT})")
    amount.add_argument("--all", action="store_true", help="every one, page by page")
    parser.set_defaults(run=run, usage=parser.error)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    foreign = [word for word in (OF_JOBS if asked.dead else OF_DEAD) if getattr(asked, word) is not None]
    if foreign:
        asked.usage(f"--{foreign[0].replace('_', '-')} {'does not go' if asked.dead else 'goes only'} with --dead")
    wanted: dict[str, Any] = {word: getattr(asked, word) for word in (*SHARED, *(OF_DEAD if asked.dead else OF_JOBS))}
    if not asked.all:
        wanted["limit"] = min(asked.limit, 200)
    found: Iterable[JobSummary] = client.dead_letters(**wanted) if asked.dead else client.list(**wanted)
    found = found if asked.all else islice(found, asked.limit)
    if not output.human:
        for job in found:
            output.json(job)
        return 0
    rows = [row(job) for job in found]
    if rows:
        output.table(TITLES, rows)
    else:
        output.say("No job matches.")
    return 0


def row(job: JobSummary) -> list[str]:
    what = job["title"] or job["name"]
    return [job["id"], job["status"], job["type"], what, job["queue"], age(job["created_at"]),
            milliseconds(job["runtime_ms"]), reason(job)]  # fmt: skip
