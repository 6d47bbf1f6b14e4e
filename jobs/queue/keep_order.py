"""The leader's share of the order: each organisation's lead, and how much waits before which rank.

Each call reads a bounded part of the backlog of each queue in which something waits.
"""

from collections.abc import Iterable

from jobs.handlers import registry
from jobs.handlers.external import ExternalHandler
from jobs.queue import sql
from jobs.queue.backlog import EARLY_RATIO, LATE_RATIO
from jobs.queue.claim import busy_queues

# Jobs that one call reads, of all queues together, and of each queue at least.
READ_JOBS = 20_000
READ_LEAST = 200
# Queues that one call looks at.
MOST_QUEUES = 50
# Organisations that are looked at in one queue, and the newest runs of each.
ORGS = 1_000
ENDS = 100
# By how much the work of one whose runs were shorter or longer than predicted counts less or more, at most.
SHORTER, LONGER = 0.25, 16.0
# Of a profile, and the newest jobs that say what comes in, over at least so long.
POINTS, RATES = 200, 20
ARRIVALS, SPAN_SECONDS = 2_000, 600
# Attempts that started of late, and how many tell something of a queue.
STARTS, ENOUGH_STARTS = 2_000, 20


class Turns:
    """Of many queues some at each call, one after the other."""

    def __init__(self) -> None:
        self.last = ""

    def of(self, queues: Iterable[str]) -> list[str]:
        ordered = sorted(set(queues), key=lambda name: (name <= self.last, name))
        chosen = ordered[:MOST_QUEUES]
        self.last = chosen[-1] if len(ordered) > MOST_QUEUES else ""
        return chosen


share_turns, backlog_turns = Turns(), Turns()


def keep_shares() -> None:
    """Of the queues in which something waits, or waited of late."""
    ahead = [row.queue for row in sql.run("ahead_queues")]
    queues = share_turns.of([*busy_queues(), *ahead])
    types = [*registry.performed(), ExternalHandler.type]
    sql.run("look_up")
    for queue in queues:
        sql.run(
            "keep_shares",
            queue=queue,
            types=types,
            bound=bound(len(queues)),
            orgs=ORGS,
            ends=ENDS,
            shorter=SHORTER,
            longer=LONGER,
        )


def keep_backlog() -> None:
    """Of all queues that have jobs of ours waiting, or had when they were last measured."""
    waited = [row.queue for row in sql.run("backlog_queues")]
    queues, types = backlog_turns.of([*busy_queues(), *waited]), registry.performed()
    for queue in queues:
        sql.run(
            "keep_backlog",
            queue=queue,
            types=types,
            bound=bound(len(queues)),
            points=POINTS,
            rates=RATES,
            arrivals=ARRIVALS // len(queues),
            orgs=ORGS,
            span_seconds=SPAN_SECONDS,
            early_ratio=EARLY_RATIO,
            late_ratio=LATE_RATIO,
        )


def compare_starts() -> None:
    sql.run("compare_starts", attempts=STARTS, enough=ENOUGH_STARTS)


def bound(queues: int) -> int:
    """Jobs of each queue."""
    return max(READ_JOBS // queues, READ_LEAST)
