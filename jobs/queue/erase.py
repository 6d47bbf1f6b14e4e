"""The leader's erasing of organisations whose day has come (orgs.erasing): what runs is stopped, then table by table.

Each call does a bounded batch and says whether there is more. What was reached is kept in memory only to look no
further than needed: a leader that begins anew goes through all of it again, and finds what is left.
"""

import logging
import time
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from jobs.queue import sql
from jobs.queue.notify import command
from jobs.queue.upkeep import OLDEST, delete_files
from orgs import erasing

log = logging.getLogger(__name__)

JOBS_BATCH = 1_000
ROWS_BATCH = 5_000
FILES_BATCH = 200
# So long a call deletes files for: others wait for the leader.
FILES_SECONDS = 1.0
# Requests and statements that began before an erasure are over by then.
SETTLE_SECONDS = 60.0
# These go in a way of their own: with their files, with all that hangs on them, or together.
NOT_SWEPT = frozenset({"jobs_artefact", "jobs_classifiercount", "jobs_job", "jobs_statuscount", "jobs_statusdelta"})

# How much a step did: 0 when nothing is left for it, None when it has to wait.
Step = Callable[[int], int | None]


class Eraser:
    """A chore of the leader."""

    def __init__(self, settle_seconds: float = SETTLE_SECONDS) -> None:
        self.settle_seconds = settle_seconds
        self.files = Files()
        self.places: dict[int, int] = {}
        self.steps: list[Step] = [
            *(rows_of(name) for name in ("erase_ticks", "erase_tokens")),
            lambda org_id: erasing.sweep("jobs_schedule", org_id, ROWS_BATCH),
            rows_of("erase_ready"),
            stop_running,
            self.files,
            Jobs(),
            rows_of("erase_deliveries"),
            rows_of("erase_answers"),
            sweep_tables,
            erase_counts,
            self.files.clear,
            erasing.forget,
            erasing.erase_trail,
            self.finish,
        ]

    def __call__(self) -> bool:
        erasing.begin()
        found = erasing.under_way()
        if found:
            sql.run("by_index")
        return any(self.go_on(org_id) for org_id in found)

    def go_on(self, org_id: int) -> bool:
        """The next thing there is to do; whether something was done."""
        for place in range(self.places.get(org_id, 0), len(self.steps)):
            self.places[org_id] = place
            did = self.steps[place](org_id)
            if did != 0:
                return did is not None
        return False

    def finish(self, org_id: int) -> int | None:
        ended = erasing.finish(org_id, self.settle_seconds)
        if ended is None:
            return None
        # gone, or to be gone through once more
        self.places.pop(org_id)
        self.files.cleared.discard(org_id)
        return 1


def rows_of(name: str) -> Step:
    return lambda org_id: len(sql.run(name, org_id=org_id, batch=ROWS_BATCH))


def stop_running(org_id: int) -> int | None:
    """Workers have as long as a lease holds to stop what they run."""
    (found,) = sql.run("erase_leases", org_id=org_id, stop_seconds=settings.LEASE_SECONDS)
    command(found.workers, "renew")
    if not found.leases:
        return 0
    return found.leases if found.fenced else None


class Jobs:
    """In order of their ids, and from the first on once more for what came meanwhile or was locked."""

    def __init__(self) -> None:
        self.after: dict[int, UUID] = {}

    def __call__(self, org_id: int) -> int:
        begun = self.after.pop(org_id, None)
        (gone,) = sql.run("erase_jobs", org_id=org_id, after=begun or OLDEST, batch=JOBS_BATCH)
        # of a job that stored one since they were looked for
        transaction.on_commit(lambda: delete_files(gone.files))
        if gone.last is None:
            return 0 if begun is None else 1
        self.after[org_id] = gone.last
        return int(gone.jobs)


def sweep_tables(org_id: int) -> int:
    for table in erasing.tables():
        if table not in NOT_SWEPT and (rows := erasing.sweep(table, org_id, ROWS_BATCH)):
            return rows
    return 0


def erase_counts(org_id: int) -> int:
    sql.run("erase_counts", org_id=org_id)
    return 0


class Files:
    """Files first and then their rows, so that none is left behind whenever this stops.

    After the commit: a storage may take longer than the leader may hold its term.
    """

    def __init__(self) -> None:
        # Of these the storage would not delete one.
        self.stuck: set[int] = set()
        self.cleared: set[int] = set()

    def __call__(self, org_id: int) -> int | None:
        rows = sql.run("some_files", org_id=org_id, batch=FILES_BATCH)
        if rows:
            transaction.on_commit(lambda: self.delete(org_id, rows))
        return self.unless_stuck(org_id, len(rows))

    def clear(self, org_id: int) -> int | None:
        """What never got a row, as after a crash in between."""
        if org_id in self.cleared:
            return 0
        transaction.on_commit(lambda: self.empty(org_id))
        return self.unless_stuck(org_id, 1)

    def unless_stuck(self, org_id: int, did: int) -> int | None:
        if org_id in self.stuck:
            self.stuck.discard(org_id)
            return None
        return did

    def delete(self, org_id: int, rows: list[sql.Row]) -> None:
        gone = self.deleted(org_id, [row.file for row in rows])
        sql.run("erase_files", org_id=org_id, ids=[row.id for row in rows[:gone]])

    def empty(self, org_id: int) -> None:
        folder = str(org_id)
        try:
            _, names = default_storage.listdir(folder)
        except FileNotFoundError:
            names = []
        except Exception as error:
            if not may_not_list(error):
                self.failed(org_id)
                return
            log.warning("a bucket that may not be listed may keep files without a row", extra={"org": org_id})
            names = []
        if self.deleted(org_id, [f"{folder}/{name}" for name in names[:FILES_BATCH]]) == len(names):
            if not settings.ARTEFACTS_IN_S3:
                # of the file system's folder itself
                default_storage.delete(folder)
            self.cleared.add(org_id)

    def deleted(self, org_id: int, names: list[str]) -> int:
        """How many are gone, from the first on: as many as the time allows."""
        gone = 0
        until = time.monotonic() + FILES_SECONDS
        for name in names:
            try:
                default_storage.delete(name)
            except Exception:
                self.failed(org_id)
                break
            gone += 1
            if time.monotonic() > until:
                break
        return gone

    def failed(self, org_id: int) -> None:
        log.exception("files of an organisation that is erased stay behind for now", extra={"org": org_id})
        self.stuck.add(org_id)


def may_not_list(error: Exception) -> bool:
    """Of a bucket: what it was told of it says no more than to write, read and delete (docs/artefacts.md)."""
    answer = getattr(error, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") in {"AccessDenied", "403"}
