"""Making the words of jobs, and counting errors that say the same: by the leader, some seconds after what happened.

It follows the moves of jobs and the ends of attempts by their numbers, so that a submit and an end pay nothing for it.
Each call takes a fixed share of a second, however much there is to do: in a rush the words come later, and lists say
up to when jobs have them.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone

from jobs.fingerprints import marked
from jobs.models.search import LONGEST_FACET
from jobs.queue import sql
from jobs.search.lexemes import TEXT_CHARACTERS, Document, of_document

# How often the leader comes here: what happened takes three to five of these to be followed.
EVERY_SECONDS = 0.5
BATCH = 200
SAMPLE_CHARACTERS = 4_000
# Kinds of values that filters offer, and how many of each an organisation has at most.
NAMES, TAGS, WORKERS, ERRORS = "name", "tag", "worker", "error"
MOST_FACETS = 1_000


# Further behind than this, it takes so many times its share.
BEHIND = timedelta(minutes=1)
BEHIND_SHARES = 4


def index_jobs(*, batch: int = BATCH) -> None:
    within("jobs", lambda: follow_moves(batch))


def count_errors(*, batch: int = BATCH) -> None:
    within("errors", lambda: follow_attempts(batch))


def within(name: str, step: Callable[[], datetime | None]) -> None:
    """Step while there is something left and time for it: what is left then waits for the next call.

    A step says up to when all is done, or None where nothing is left.
    """
    begun = time.monotonic()
    sql.run("follow", follower=name)
    while done_at := step():
        shares = BEHIND_SHARES if done_at < timezone.now() - BEHIND else 1
        if time.monotonic() >= begun + settings.SEARCH_INDEX_SECONDS * EVERY_SECONDS * shares:
            break


def follow_moves(batch: int) -> datetime | None:
    (found,) = sql.run("followed", batch=batch)
    if found.last_id is None:
        return None
    index(found.job_ids)
    sql.run("follow_done", follower="jobs", last_id=found.last_id, last_at=found.last_at)
    return found.last_at if found.rows == batch else None


def index(job_ids: Iterable[UUID]) -> None:
    """Make the words of these jobs as they are now."""
    ids = list(job_ids)
    documents = (
        [read(row) for row in sql.run("search_documents", job_ids=ids, characters=TEXT_CHARACTERS)] if ids else []
    )
    entries = [
        {
            "job_id": one.job_id,
            "org_id": one.org_id,
            "words": of_document(one),
            "error_fingerprint": one.error_fingerprint,
        }
        for one in documents
    ]
    if entries:
        facets = sorted({facet for one in documents for facet in facets_of(one)})
        seen = [{"org_id": org_id, "kind": kind, "value": value} for org_id, kind, value in facets]
        sql.run(
            "store_words",
            entries=orjson.dumps(entries).decode(),
            facets=orjson.dumps(seen).decode(),
            most=MOST_FACETS,
        )


def read(row: dict[str, Any]) -> Document:
    has_error = bool(row["error_type"] or row["error"])
    return Document(**row, error_fingerprint=marked(row["error_type"], row["error"]).fingerprint if has_error else "")


def facets_of(job: Document) -> Iterable[tuple[int, str, str]]:
    yield job.org_id, NAMES, job.name
    yield from ((job.org_id, TAGS, tag) for tag in job.tags)
    yield from ((job.org_id, WORKERS, worker) for worker in job.workers if len(worker) <= LONGEST_FACET)
    if job.error_type:
        yield job.org_id, ERRORS, job.error_type


def follow_attempts(batch: int) -> datetime | None:
    (found,) = sql.run("followed_errors", batch=batch)
    if found.last_id is None:
        return None
    told = [
        {
            **{name: one[name] for name in ("org_id", "job_id", "queue", "type", "name", "error_type", "at")},
            "fingerprint": marked(one["error_type"], one["error"]).fingerprint,
            "sample": one["error"][-SAMPLE_CHARACTERS:],
        }
        for one in found.failed
    ]
    if told:
        sql.run("count_errors", told=orjson.dumps(told).decode())
    sql.run("follow_done", follower="errors", last_id=found.last_id, last_at=found.last_at)
    return found.last_at if found.rows == batch else None
