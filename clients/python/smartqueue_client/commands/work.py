"""sq work: run a program for each job."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import socket
import sys
from typing import Any

from smartqueue_client import config
from smartqueue_client.connection import Connection
from smartqueue_client.worker import Worker

MOST_SLOTS = 20


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "work",
        parents=[shared],
        help="run a program for each job of your queues",
        usage="sq work --queue Q [--slots N] -- program [argument …]",
        description="Takes jobs of the type `external` and runs a program for each, with the payload on its input.",
    )
    parser.add_argument("--queue", action="append", required=True, help="may be given more than once; the first first")
    parser.add_argument("--slots", type=number(1, MOST_SLOTS), default=1, help="so many jobs at once (1)")
    parser.add_argument("--name", default=default_name(), help="what this worker calls itself; unique")
    parser.add_argument("--lease", type=number(2, 300), default=30, metavar="SECONDS",
                        help="how long a job waits for this worker when it is lost (30)")  # fmt: skip
    parser.add_argument("--renew", type=number(0.2, 100), default=1, metavar="SECONDS",
                        help="how often the lease is renewed, and a cancellation seen (1)")  # fmt: skip
    parser.add_argument("--drain", type=number(0, 86_400), default=30, metavar="SECONDS",
                        help="after SIGTERM: how long running jobs may take to end (30)")  # fmt: skip
    parser.add_argument("program", nargs="+", help="and its arguments")
    parser.set_defaults(run=run)


def number(least: float, most: float) -> Any:
    def read(text: str) -> float:
        value = int(text) if text.isdigit() else float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"from {least} to {most}")
        return value

    return read


def default_name() -> str:
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-") or "worker"
    return f"{host[:48]}-{os.getpid()}"


def run(asked: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    url = config.address(getattr(asked, "url", ""))
    connection = Connection(url, config.bearer(url))
    worker = Worker(
        connection,
        name=asked.name,
        queues=asked.queue,
        slots=int(asked.slots),
        program=asked.program,
        lease_seconds=asked.lease,
        renew_seconds=min(asked.renew, asked.lease / 3),
        drain_seconds=asked.drain,
    )
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: worker.stop())
    return worker.run()
