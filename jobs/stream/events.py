"""What a receiver of the stream is told: one event for each move of a job, in the envelope that webhooks have."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from jobs.queue import sql
from jobs.stream.words import CHANGED

OF_A_JOB = ("type", "name", "title", "queue", "attempt", "batch_id", "correlation_id", "created_at")
OF_AN_END = ("outcome", "error_type", "error", "runtime_ms", "started_at", "finished_at")


@dataclass(frozen=True, slots=True)
class Event:
    """One message. `id` is the same however often it is sent; of one job `sequence` only grows."""

    id: str
    type: str
    sequence: int
    job_id: str
    org: str
    body: bytes

    @property
    def about(self) -> dict[str, str]:
        """What a broker carries beside the body."""
        return {"event-id": self.id, "event-type": self.type, "event-sequence": str(self.sequence), "org": self.org}


@dataclass(frozen=True, slots=True)
class Piece:
    """Moves in a row, and the number of the last of them: more than there are events, where some are not told."""

    events: list[Event]
    upto: int


def read(*, after: int, upto: int, batch: int) -> Piece:
    """The next moves after one, as events. Up to `upto` they must be settled (orgs.settled)."""
    rows = sql.run("stream_events", after=after, upto=upto, batch=batch)
    # what was deleted since it moved has no event any more: its organisation wants it gone
    events = [event(row) for row in rows if row.type is not None and event_type(row) in settings.STREAM_EVENTS]
    return Piece(events, rows[-1].sequence if len(rows) == batch else upto)


def event_type(row: sql.Row) -> str:
    return CHANGED if row.from_status == row.to_status else f"job.{row.to_status}"


def event(row: sql.Row) -> Event:
    """No payload and no result, as in webhooks; and no name of a person, whom an erasure could not find in a broker."""
    job: dict[str, Any] = {"id": row.job_id, "status": row.to_status, "from_status": row.from_status}
    job |= {name: row[name] for name in OF_A_JOB}
    if row.outcome is not None:
        job |= {name: row[name] for name in OF_AN_END}
    event_id, kind = f"{row.job_id}.{row.sequence}", event_type(row)
    told = {
        "id": event_id,
        "type": kind,
        "timestamp": row.happened_at,
        "data": {"org": row.org, "sequence": row.sequence, "job": job},
    }
    return Event(event_id, kind, row.sequence, str(row.job_id), str(row.org), orjson.dumps(told))
