"""What the end of a job sets going: jobs that waited for it, and the count of its batch.

The statement that ends a job only leaves a note (Ending), and only for a job that others wait for or that is of a
batch. Here the notes are worked off, a bounded batch at a time: by whoever ended the job, at once, and by the leader
for what is left, be it of a great fan-out or of somebody who died in between.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from jobs.queue import sql
from jobs.queue.notify import wake
from jobs.queue.shares import spacing

BATCH = 1_000
# By whoever ended the job, who has other things to do: the leader does the rest.
SOON_BATCH = 250
SOON_BATCHES = 4


class Released(NamedTuple):
    """Whether there may be more, and whether a batch has become ready to be called back for."""

    more: bool
    callback: bool


def release(*, batch: int = BATCH) -> Released:
    """Work off one batch of ends. Any number may run at once: they skip each other's."""
    (told,) = sql.run("release", batch=batch, **spacing())
    # one rank stands for all queues: too low a place costs a claim's look, too high would cost the job a poll
    wake(((queue, told.rank) for queue in told.queues), many=True)
    return Released(told.more, told.callback)


def release_some() -> bool:
    """What can be done in passing; returns whether a batch is to be called back for."""
    callback = False
    for _ in range(SOON_BATCHES):
        told = release(batch=SOON_BATCH)
        callback = callback or told.callback
        if not told.more:
            break
    return callback


def release_soon(over: Collection[UUID]) -> None:
    """After the commit, where these have ended already."""
    if over:
        transaction.on_commit(lambda: release_some(), robust=True)
