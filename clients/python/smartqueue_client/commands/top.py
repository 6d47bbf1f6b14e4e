"""sq top: queues, workers and throughput on one screen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from smartqueue_client.client import Client
from smartqueue_client.commands.common import client_of, output_of
from smartqueue_client.commands.queues import TITLES, row
from smartqueue_client.errors import Unreachable
from smartqueue_client.output import Output, age, clean, cut, lines_of
from smartqueue_client.screen import Screen
from smartqueue_client.types import Flow, Process

BARS = " ▁▂▃▄▅▆▇█"
LEAST_SECONDS = 0.5


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "top", parents=[shared], help="queues, workers and throughput, live", description="q or Ctrl-C leaves it."
    )
    parser.add_argument("--once", action="store_true", help="show it once, and end")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="how often it is refreshed (2)")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    if not output.human:
        output.json(facts(client))
    elif asked.once:
        for line in frame(client.url, facts(client), 100):
            output.line(output.with_colours(line))
    else:
        # what is late is told on the screen, and asked for again
        client.retry_seconds = 0
        live(client, output, max(asked.every, LEAST_SECONDS))
    return 0


def live(client: Client, output: Output, every: float) -> None:
    found = facts(client)
    with Screen() as screen:
        trouble = ""
        while True:
            columns, _ = screen.size()
            lines = frame(client.url, found, columns)
            screen.draw([cut(trouble, columns) if trouble else lines[0], *map(output.with_colours, lines[1:])])
            if screen.left(every):
                return
            try:
                found, trouble = facts(client), ""
            except Unreachable as error:
                trouble = clean(f"sq: {error}")


def facts(client: Client) -> dict[str, Any]:
    """All of a frame."""
    return {
        "at": time.strftime("%H:%M:%S"),
        "counts": client.counts(),
        "queues": list(client.queues()),
        "workers": list(client.workers()),
        "throughput": list(client.throughput(hours=1)),
    }


def frame(url: str, found: dict[str, Any], columns: int) -> list[str]:
    counts, flow = found["counts"], found["throughput"]
    said = counts["by_status"]
    done, failed = sum(one["done"] for one in flow), sum(one["failed"] for one in flow)
    head = [
        f"SmartQueue {clean(url)}  {found['at']}",
        f"queued {said['queued']}  running {said['running']}  scheduled {said['scheduled']}  "
        f"dead letters {counts['dead_letters']}  workers {counts['active_workers']}",
        f"last hour: {done} attempts done, {failed} failed",
        f"  {bars(flow, lambda one: one['done'] + one['failed'])}",
        "",
    ]
    workers = [worker_row(one) for one in found["workers"] if one["status"] in ("online", "quiet", "draining")]
    return [
        *(cut(line, columns) for line in head),
        *lines_of(TITLES, [row(queue) for queue in found["queues"]], columns),
        "",
        *lines_of(("PROCESS", "KIND", "STATE", "BUSY", "CPU", "MB", "JOBS", "SEEN"), workers, columns),
    ]


def worker_row(process: Process) -> list[Any]:
    return [
        process["name"],
        process["kind"],
        process["status"],
        f"{len(process['running'])}/{process['slots']}",
        f"{process['cpu_percent']:.0f}%",
        process["memory_bytes"] // 1_000_000,
        process["jobs_processed"],
        age(process["beat_at"]),
    ]


def bars(flow: list[Flow], height: Callable[[Flow], int]) -> str:
    """A bar for each interval, the tallest as high as a letter."""
    most = max((height(one) for one in flow), default=0)
    return "".join(BARS[-(-height(one) * (len(BARS) - 1) // most)] if most else " " for one in flow)
