"""sq get: one job, whole."""

from __future__ import annotations

import argparse
import json
from typing import Any

from smartqueue_client.commands.common import EXAMPLES, client_of, output_of, seconds, tell_end
from smartqueue_client.errors import JobFailed
from smartqueue_client.output import age, clean, milliseconds
from smartqueue_client.types import Job

ABOUT = """\
examples:
  sq get ID
  sq get ID --wait 60          until it has ended
  sq get ID --result           nothing but its result, once it is done
"""


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("get", parents=[shared], help="one job", epilog=ABOUT, formatter_class=EXAMPLES)
    parser.add_argument("id")
    parser.add_argument("--wait", nargs="?", type=seconds, const=-1.0, metavar="SECONDS",
                        help="until it has ended, at most so long; exit code 1 when it is not done then")  # fmt: skip
    parser.add_argument("--result", action="store_true", help="only its result, as JSON")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    if asked.wait is None:
        job = client.get(asked.id)
    else:
        job = client.wait(asked.id, timeout=None if asked.wait < 0 else asked.wait)
    if asked.result:
        if job["status"] != "done":
            raise JobFailed(job)
        output.json(job["result"])
        return 0
    if asked.wait is not None:
        return tell_end(output, job)
    if output.human:
        for name, value in facts(job):
            output.line(f"{name:<12} {output.colour(value) if name == 'status' else clean(value)}")
        for name, found in (("payload", job["payload"]), ("result", job["result"])):
            if found is not None:
                output.line(f"{name:<12} {json.dumps(found, indent=2)}")
    else:
        output.json(job)
    return 0


def facts(job: Job) -> list[tuple[str, Any]]:
    """What there is to say of it."""
    progress = "" if job["progress"] is None else f"{job['progress']:.0%} {job['progress_message']}"
    said = [
        ("id", job["id"]),
        ("status", job["status"]),
        ("type", job["type"]),
        ("name", job["name"]),
        ("title", job["title"]),
        ("queue", job["queue"]),
        ("urgency", job["urgency"]),
        ("category", job["category"]),
        (
            "attempt",
            f"{job['attempt']} of {job['max_attempts']}" + (f", life {job['life']}" if job["life"] > 1 else ""),
        ),
        ("progress", progress),
        ("worker", job["worker"]),
        ("predicted", milliseconds(job["predicted_ms"])),
        ("ran", milliseconds(job["runtime_ms"])),
        ("created", f"{job['created_at']} ({age(job['created_at'])})"),
        ("run at", job["run_at"]),
        ("finished", job["finished_at"]),
        ("error", ": ".join(word for word in (job["error_type"], job["error"]) if word)),
    ]
    return [(name, value) for name, value in said if value]
