"""manage.py probe worker: does the worker of this host live? Exit status 0 or 1; asked every few seconds by whoever
would start it again, so without Django, which takes a second of a processor to load.

With --live: its loop goes round. That asks nothing of the database, whose outage no restart mends. Without: the
database has its heartbeat, so that it can work.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.processes.pulse import BEAT, TURN
from smartqueue.state import probe_dir

KINDS = ("worker", "scheduler", "watchdog")
# A statement is cut off after SMARTQUEUE_STATEMENT_TIMEOUT_SECONDS, 60: a loop may stand still for some of them.
LIVE_SECONDS = 180.0
# As SMARTQUEUE_WORKER_DEAD_SECONDS: then the watchdog takes it for dead.
READY_SECONDS = 15.0


def main(words: Sequence[str]) -> int:
    """Prints what was found, one line."""
    parser = argparse.ArgumentParser(prog="manage.py probe", description="Does a process of this host live?")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "--live", action="store_true", help="only that its loop goes round; asks nothing of the database"
    )
    parser.add_argument(
        "--seconds", type=float, help=f"the greatest age: {READY_SECONDS:g}, with --live {LIVE_SECONDS:g}"
    )
    asked = parser.parse_args(words)
    limit = asked.seconds or (LIVE_SECONDS if asked.live else READY_SECONDS)
    trouble = trouble_of(probe_dir(), asked.kind, TURN if asked.live else BEAT, limit)
    print(trouble or f"{asked.kind}: ok", file=sys.stderr if trouble else sys.stdout)
    return 1 if trouble else 0


def trouble_of(folder: Path, kind: str, what: str, limit_seconds: float) -> str:
    """Empty when there is a process of this kind, and none whose mark is older."""
    ages = dict(ages_of(folder, kind, what))
    if not ages:
        return f"{kind}: no such process has left a mark in {folder}"
    late = {pid: age for pid, age in ages.items() if age > limit_seconds}
    return ", ".join(f"{kind} {pid}: the last {what} was {age:.0f} s ago" for pid, age in sorted(late.items()))


def ages_of(folder: Path, kind: str, what: str) -> Iterator[tuple[int, float]]:
    """Process numbers and seconds since the mark; what a killed process left is passed over."""
    for path in folder.glob(f"{kind}-*.{what}"):
        found = re.fullmatch(rf"{kind}-([1-9][0-9]*)\.{what}", path.name)
        if found and running(pid := int(found[1])):
            try:
                yield pid, time.time() - path.stat().st_mtime
            except FileNotFoundError:
                # it has ended since
                continue


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
