"""Waking workers: one channel a queue for new work, one a worker process for commands."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

NEW_WORK = "smartqueue_queue_"
# For workers that serve every queue: they need not know the names.
ANY_WORK = NEW_WORK + "*"
COMMANDS = "smartqueue_worker_"


def work_channel(queue: str) -> str:
    return NEW_WORK + queue


def command_channel(worker_id: UUID) -> str:
    return COMMANDS + worker_id.hex


def wake(queues: Iterable[str]) -> None:
    """Tell workers that these queues have work: once a queue, when the transaction commits.

    After the commit and not within it: commits that notify are serialised by PostgreSQL. A notification lost
    between the two costs one poll interval, so it must not raise: what was committed would look refused.
    """
    channels = sorted({work_channel(queue) for queue in queues})
    if channels:
        transaction.on_commit(lambda: notify([ANY_WORK, *channels]), robust=True)


def command(worker_ids: Iterable[UUID], word: str) -> None:
    """Tell worker processes to look at their leases at once ("renew")."""
    channels = sorted({command_channel(worker_id) for worker_id in worker_ids})
    if channels:
        transaction.on_commit(lambda: notify(channels, word), robust=True)


def notify(channels: list[str], word: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(channel, %s) FROM unnest(%s::text[]) AS channel", [word, channels])
