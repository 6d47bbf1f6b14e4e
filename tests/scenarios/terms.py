"""Schedulers that stand for leader, and what shows that one led at a time: each leader's write, noted as it is made."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from jobs.models import Job, LeaderTerm, Transition
from jobs.queue.enqueue import Enqueued, NewJob, enqueue_many
from orgs.models import Org
from tests.process import Process
from tests.processes import Fleet, leader_pid, patiently

HOUR = 3600.0
# The open term as the writer's own transaction sees it: with the fence it is the writer's, without it may be another's.
NOTE_WRITES = """
CREATE TABLE leader_write (id bigserial PRIMARY KEY, writer text, epoch bigint, moves bigint);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO leader_write (writer, epoch, moves)
    SELECT current_setting('application_name'), (SELECT epoch FROM jobs_leaderterm WHERE ended_at IS NULL), count(*)
    FROM fresh WHERE actor = 'leader' HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION note_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO leader_write (writer, epoch, moves)
    SELECT current_setting('application_name'), (SELECT epoch FROM jobs_leaderterm WHERE ended_at IS NULL), 0;
    RETURN NULL;
END $$;
CREATE TRIGGER note_move AFTER INSERT ON jobs_transition
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_move();
CREATE TRIGGER note_count AFTER INSERT OR UPDATE ON jobs_statuscount
    FOR EACH STATEMENT EXECUTE FUNCTION note_count();
"""
NO_MORE_NOTES = """
DROP TRIGGER note_move ON jobs_transition; DROP FUNCTION note_move();
DROP TRIGGER note_count ON jobs_statuscount; DROP FUNCTION note_count();
DROP TABLE leader_write;
"""
HOLDER = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 21329
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def leaders_writes_noted() -> Iterator[None]:
    """In the test's database, for as long as schedulers run."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE_WRITES)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(NO_MORE_NOTES)


class Schedulers:
    """Each with sessions of its own name."""

    def __init__(self, fleet: Fleet, **environ: str) -> None:
        self.fleet = fleet
        self.environ = environ
        self.all: list[Process] = []

    def start(self, count: int, **environ: str) -> None:
        new = []
        for number in range(count):
            name = f"scheduler {len(self.all) + number}"
            new.append(self.fleet.manage("runscheduler", PGAPPNAME=name, **self.environ, **environ))
        self.all += self.fleet.ready(new)

    def leader(self) -> Process:
        running = {one.pid: one for one in self.all if one.running}
        return running[patiently(lambda: leader_pid() in running and leader_pid())]

    def pids(self) -> dict[str, int]:
        return {f"scheduler {number}": one.pid for number, one in enumerate(self.all)}

    def check(self) -> None:
        """Terms follow each other, and what was written in each was written by its leader, all of it before the next
        one's first write."""
        terms = list(LeaderTerm.objects.order_by("epoch"))
        for earlier, later in pairwise(terms):
            assert earlier.ended_at is not None
            assert earlier.beat_at <= earlier.ended_at <= later.elected_at
        led = {term.epoch: term.pid for term in terms}
        written = writes()
        assert written
        pids = self.pids()
        assert [(writer, epoch) for writer, epoch in written if pids[writer] != led.get(epoch)] == []
        epochs = [epoch for _, epoch in written]
        assert epochs == sorted(epochs)


def writes() -> list[tuple[str, int]]:
    """Session name and open term of each write by a leader, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT writer, epoch FROM leader_write ORDER BY id")
        return [(writer, epoch) for writer, epoch in cursor.fetchall()]


def lock_holder() -> int | None:
    """The server process of the session that has the leader's lock."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDER)
        row = cursor.fetchone()
    return row and row[0]


def planned(org: Org, count: int) -> list[UUID]:
    """Jobs that are due in an hour."""
    new = [NewJob(type="python", payload={"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, delay_seconds=HOUR)] * count
    stored = enqueue_many(new, org=org, user=None)
    return [one.job_id for one in stored if isinstance(one, Enqueued)]


def make_due(ids: Sequence[UUID]) -> None:
    assert Job.objects.filter(pk__in=ids).update(run_at=Now()) == len(ids)


def queued(ids: Sequence[UUID]) -> QuerySet[Transition]:
    """The moves of these jobs to their queue."""
    return Transition.objects.filter(job_id__in=ids, to_status="queued")


def all_queued_once(ids: Sequence[UUID]) -> None:
    """Once they all are."""
    patiently(lambda: Job.objects.filter(pk__in=ids, status="queued").count() == len(ids))
    assert queued(ids).count() == len(ids)
