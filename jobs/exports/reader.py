"""One snapshot of the database, on a session of its own, from which the rows of a question are streamed."""

import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

import psycopg
from django.db import connection, connections
from django.db.models import QuerySet

from jobs.exports.names import without_names
from jobs.exports.sources import rows_of
from jobs.handlers.base import PermanentFailure
from jobs.handlers.datasets import DATASETS, Question
from jobs.hiding import hide
from jobs.models import Job
from jobs.queue import sql
from jobs.queue.claim import Claimed
from orgs.models import Membership
from orgs.roles import Action, can

# What this thread's session for the snapshot is called; no setting knows it.
ALIAS = "snapshot"
# Rows fetched at a time: of columns that hold JSON (a result has up to RESULT_MAX_BYTES) fewer.
ROWS, WIDE_ROWS = 500, 50
CANCEL_SECONDS = 5.0


class OrgReader:
    """The Reader of one attempt: the organisation is the claimed job's, and so is whoever submitted it."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed

    @contextmanager
    def read(self, question: Question) -> Iterator["OrgExtract"]:
        with snapshot() as (session, at):
            if action := DATASETS[question.dataset].action:
                self.require(Action(action))
            extract = OrgExtract(question, self.claimed.org_id, session, at)
            try:
                yield extract
            finally:
                extract.close()

    def require(self, action: Action) -> None:
        """His role may have changed since he submitted it. Raises PermanentFailure."""
        org_id = self.claimed.org_id
        job = Job.objects.using(ALIAS).filter(pk=self.claimed.job_id, org_id=org_id).first()
        user = job.created_by if job else None
        if user is not None and user.is_active:
            roles = Membership.objects.using(ALIAS).filter(org_id=org_id, user=user).values_list("role", flat=True)
            if user.is_superuser or can(roles.first(), action):
                return
        raise PermanentFailure(f"Whoever submitted this job must be allowed to {action}; he is not, or not any more.")


@contextmanager
def snapshot() -> Iterator[tuple["psycopg.Connection[Any]", datetime]]:
    """A session named ALIAS, in a transaction that only reads and sees no later commit; with its moment."""
    wrapper = connection.copy(ALIAS)
    connections[ALIAS] = wrapper
    try:
        wrapper.connect()
        session: psycopg.Connection[Any] = wrapper.connection
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        wrapper.set_autocommit(False)
        with wrapper.cursor() as cursor:
            cursor.execute(sql.statement("snapshot").text)
            (at,) = cursor.fetchone()
        yield session, at
    finally:
        # it has nothing to commit
        wrapper.close()
        del connections[ALIAS]


def hidden(row: Sequence[Any], places: Container[int]) -> tuple[Any, ...]:
    """Without what nobody is shown of payloads, here as everywhere."""
    return tuple(hide(cell) if place in places else cell for place, cell in enumerate(row))


class OrgExtract:
    """The Extract of a question. cancel() may come from another thread, also when all is over."""

    def __init__(self, question: Question, org_id: int, session: "psycopg.Connection[Any]", at: datetime) -> None:
        self.question = question
        self.snapshot_at = at
        self.found: QuerySet[Any, Any] = rows_of(question, org_id).using(ALIAS)
        self.session: psycopg.Connection[Any] | None = session

    @cached_property
    def available(self) -> int:
        """How many there are, but no more than one over the limit."""
        return self.found.order_by()[: self.question.limit + 1].count()

    @property
    def total(self) -> int:
        return min(self.available, self.question.limit)

    @property
    def truncated(self) -> bool:
        return self.available > self.question.limit

    def rows(self) -> Iterator[Any]:
        if not self.total:
            return iter(())
        wide = DATASETS[self.question.dataset].json & set(self.question.columns)
        found = self.found[: self.question.limit]
        size = WIDE_ROWS if wide else ROWS
        rows = without_names(self.question, islice(found.iterator(chunk_size=size), self.question.limit), size)
        places = {place for place, name in enumerate(self.question.columns) if name in wide}
        return (hidden(row, places) for row in rows) if places else rows

    def cancel(self) -> None:
        """Break off the statement that runs. At once: whoever asks has others to ask."""
        threading.Thread(target=self.break_off, daemon=True).start()

    def break_off(self) -> None:
        session = self.session
        if session is not None:
            # it may have been closed meanwhile
            with suppress(psycopg.Error):
                session.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        """Before the session is: a later cancel must find none."""
        self.session = None
