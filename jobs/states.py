"""The status of a job and its legal moves: the one place; the database holds the same as CHECK constraints."""

from enum import StrEnum


class Status(StrEnum):
    """What is happening to a job. FAILED is the dead letter; SCHEDULED with attempt > 0 waits for a retry."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How one attempt ended."""

    DONE = "done"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    LOST = "lost"
    RELEASED = "released"
    CANCELLED = "cancelled"


# A row's `status` column never says running: a job runs while it has a lease.
STORED = frozenset(Status) - {Status.RUNNING}
TERMINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})

LEGAL_MOVES: dict[Status | None, frozenset[Status]] = {
    None: frozenset({Status.SCHEDULED, Status.QUEUED}),
    # to itself: a person changed something about it, which the history tells
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.CANCELLED, Status.SCHEDULED}),
    # scheduled: put off by a person
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.SCHEDULED, Status.QUEUED}),
    # queued: released or lost; scheduled: waits for its next try
    Status.RUNNING: frozenset({Status.DONE, Status.FAILED, Status.CANCELLED, Status.QUEUED, Status.SCHEDULED}),
    Status.FAILED: frozenset({Status.QUEUED}),  # replay
    Status.DONE: frozenset(),
    Status.CANCELLED: frozenset(),
}

# The words of the older /tasks clients.
COMPATIBLE = {
    "PENDING": (Status.SCHEDULED, Status.QUEUED),
    "PROCESSING": (Status.RUNNING,),
    "COMPLETED": (Status.DONE,),
    "FAILED": (Status.FAILED,),
}


def is_legal(source: Status | None, target: Status) -> bool:
    return target in LEGAL_MOVES[source]


def parse(word: str) -> tuple[Status, ...]:
    """The statuses a filter word names, the compatible words included; raises ValueError."""
    return COMPATIBLE.get(word) or (Status(word),)
