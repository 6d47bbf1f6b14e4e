"""What commands share: the client that was asked for, and arguments of several of them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from smartqueue_client import config
from smartqueue_client.client import Client
from smartqueue_client.errors import reason
from smartqueue_client.output import Output, clean, milliseconds
from smartqueue_client.types import Job

EXAMPLES = argparse.RawDescriptionHelpFormatter


def client_of(asked: argparse.Namespace) -> Client:
    """Raises NotConfigured, ValueError."""
    url = config.address(getattr(asked, "url", ""))
    bearer = config.bearer(url)
    found = Client(url, token=bearer.token, org=config.org(getattr(asked, "org", "")))
    found.connection.bearer = bearer
    return found


def output_of(asked: argparse.Namespace) -> Output:
    return Output(json_asked=getattr(asked, "json", False))


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 30 * 86_400:
        raise argparse.ArgumentTypeError("from 0 to a month of seconds")
    return value


def whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return value


def source(word: str) -> str:
    """Text that was given as it is, as `-` for standard input, or as `@` and the name of a file."""
    if word == "-":
        return sys.stdin.read()
    return Path(word[1:]).read_text(encoding="utf-8") if word.startswith("@") else word


def payload_of(word: str) -> Any:
    """Raises ValueError, in words."""
    try:
        found = json.loads(source(word))
    except json.JSONDecodeError as error:
        raise ValueError(f"the payload is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("the payload is not a JSON object: {…}")
    return found


def tell_end(output: Output, job: Job) -> int:
    """Say how a job that was waited for ended; the exit code."""
    if not output.human:
        output.json(job)
    else:
        took = milliseconds(job["runtime_ms"])
        output.line(f"{job['id']} is {output.colour(job['status'])}" + (f" after {took}" if took else ""))
        if job["status"] == "done" and job["result"] is not None:
            output.line(json.dumps(job["result"], indent=2))
    if job["status"] == "done":
        return 0
    why = clean(reason(job))
    output.say(f"sq: the job is {job['status']}" + (f": {why}" if why else ""))
    return 1
