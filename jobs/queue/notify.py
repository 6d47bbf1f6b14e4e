"""Waking workers: one channel for new work, in whichever queue, and one a worker process for commands."""

import math
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from jobs.queue import sql

# PostgreSQL wakes every session that listens, whatever it listens to: a channel a queue would save nothing.
NEW_WORK = "smartqueue_work"
COMMANDS = "smartqueue_worker_"
LIMITED = " limited"
MANY = 1_000_000


def command_channel(worker_id: UUID) -> str:
    return COMMANDS + worker_id.hex


def wake(places: Iterable[tuple[str, float]], *, limited: bool = False, many: bool = False) -> None:
    """Tell workers that jobs wait at these (queue, rank) places: once a queue, when the transaction commits.

    After the commit and not within it: commits that notify are serialised by PostgreSQL. A notification lost
    between the two costs one poll interval, so it must not raise: what was committed would look refused.
    `limited`: there may be some among them that wait for their limits. `many`: each place stands for many jobs, at that
    rank and above it.
    """
    ranks: dict[str, list[float]] = {}
    for queue, rank in places:
        ranks.setdefault(queue, []).append(float(rank))
    if ranks:
        end = LIMITED if limited else ""
        notes = [
            (NEW_WORK, f"{queue} {min(found)!r} {math.inf!r} {MANY}{end}")
            if many
            else (NEW_WORK, f"{queue} {min(found)!r} {max(found)!r} {len(found)}{end}")
            for queue, found in sorted(ranks.items())
        ]
        transaction.on_commit(lambda: notify(notes), robust=True)


class Place(NamedTuple):
    """Where a notification of new work says that it is."""

    queue: str
    lowest_rank: float
    highest_rank: float
    jobs: int
    limited: bool


def place(word: str) -> Place:
    queue, lowest, highest, jobs = word.removesuffix(LIMITED).split()
    return Place(queue, float(lowest), float(highest), int(jobs), word.endswith(LIMITED))


def command(worker_ids: Iterable[UUID], word: str) -> None:
    """Tell worker processes to look at their leases at once ("renew")."""
    notes = sorted({(command_channel(worker_id), word) for worker_id in worker_ids})
    if notes:
        transaction.on_commit(lambda: notify(notes), robust=True)


def notify(notes: list[tuple[str, str]]) -> None:
    """(channel, word) pairs, in one statement."""
    if len(notes) == 1:
        # nearly always; an array takes as long to send as all the rest
        sql.rows("notify", channel=notes[0][0], word=notes[0][1])
        return
    channels, words = zip(*notes, strict=True)
    sql.rows("notify_many", channels=list(channels), words=list(words))
