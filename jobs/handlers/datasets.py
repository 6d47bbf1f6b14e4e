"""What can be exported: the closed lists of columns, filters and orders that a data-export job chooses from."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of rows. Columns come in this order unless a job says otherwise."""

    columns: tuple[str, ...]
    filters: tuple[str, ...]
    # The first is the usual one.
    orders: tuple[str, ...]
    # Columns that hold JSON, and those that only come when they are asked for.
    json: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()
    # What the submitter must be allowed to do besides, as orgs.roles.Action says it.
    action: str = ""

    @property
    def usual(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name not in self.extra)


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows, in a reader's words: all from the lists above. `filters` holds datetimes for times."""

    dataset: str
    columns: Sequence[str]
    filters: Mapping[str, Any] = field(default_factory=dict)
    order: str = ""
    limit: int = 0


class Extract(Protocol):
    """The rows of one question, in one snapshot of the database. `rows` can be gone through once."""

    @property
    def snapshot_at(self) -> datetime: ...
    @property
    def total(self) -> int: ...
    @property
    def truncated(self) -> bool: ...
    def rows(self) -> "Rows": ...
    def cancel(self) -> None: ...


class Rows(Protocol):
    def __iter__(self) -> "Rows": ...
    def __next__(self) -> Sequence[Any]: ...


class Reader(Protocol):
    """Reads rows of the attempt's own organisation; whose that is, is not the payload's to say."""

    def read(self, question: Question) -> AbstractContextManager[Extract]:
        """Raises PermanentFailure for what its submitter may not see."""
        ...


JOB_COLUMNS = (
    *("id", "type", "name", "title", "queue", "status", "urgency", "category", "tags", "priority"),
    *("predicted_ms", "predicted_low_ms", "predicted_high_ms", "failure_probability", "prediction_source"),
    *("model_version",),
    *("attempt", "max_attempts", "life", "outcome", "error_type", "error", "run_at", "waits_for", "batch_id"),
    *("limit_key", "timeout_seconds", "idempotency_key", "correlation_id", "created_by", "created_at", "queued_at"),
    *("started_at", "finished_at", "runtime_ms", "payload_bytes", "description", "payload", "result"),
)
NARROWING = (
    *("type", "queue", "urgency", "category", "creator", "name", "correlation_id", "error_type", "q"),
    *("tag", "worker", "fingerprint", "replayed", "attempts_min", "attempts_max", "runtime_min_ms", "runtime_max_ms"),
)
JOB_FILTERS = (
    "status",
    *NARROWING,
    "created_after",
    "created_before",
    "finished_after",
    "finished_before",
    "batch",
    "job",
)
OF_ROWS = ("after", "before")
JOB_ORDERS = ("created", "finished", "name", "priority", "predicted_ms", "runtime_ms")


def both_ways(*words: str) -> tuple[str, ...]:
    """With a minus the greatest first."""
    return tuple(sign + word for word in words for sign in ("-", ""))


JOB_JSON = frozenset({"payload", "result", "tags"})
JOB_EXTRA = frozenset({"payload", "result", "description"})

DATASETS: Mapping[str, Dataset] = {
    "jobs": Dataset(JOB_COLUMNS, JOB_FILTERS, both_ways(*JOB_ORDERS), JOB_JSON, JOB_EXTRA),
    "dead_letters": Dataset(
        JOB_COLUMNS,
        (*NARROWING, "created_after", "created_before", "failed_after", "failed_before", "batch", "job"),
        both_ways("failed", *JOB_ORDERS),
        JOB_JSON,
        JOB_EXTRA,
    ),
    "attempts": Dataset(
        (
            *("job_id", "attempt", "type", "name", "worker", "outcome", "started_at", "ended_at"),
            *("runtime_ms", "predicted_ms", "error_type", "error", "fenced_at"),
        ),
        (*JOB_FILTERS, *OF_ROWS),
        both_ways("at"),
    ),
    "transitions": Dataset(
        ("id", "job_id", "queue", "from_status", "to_status", "attempt", "actor", "reason", "at"),
        (*JOB_FILTERS, *OF_ROWS),
        both_ways("at"),
    ),
    "log_lines": Dataset(
        ("job_id", "attempt", "sequence", "stream", "text", "at"),
        (*JOB_FILTERS, *OF_ROWS),
        ("job", "-job", "-at", "at"),
    ),
    "audit": Dataset(
        ("id", "at", "actor", "key", "action", "target", "detail", "address", "correlation_id"),
        ("actor", "action", "correlation_id", *OF_ROWS),
        both_ways("at"),
        json=frozenset({"detail"}),
        action="see_audit",
    ),
    "schedules": Dataset(
        (
            *("id", "name", "cron", "timezone", "missed", "is_paused", "next_at", "last_at", "last_error"),
            *("created_by", "created_at", "updated_at", "job"),
        ),
        ("name",),
        ("name", "-name"),
        json=frozenset({"job"}),
    ),
    "depth_samples": Dataset(("at", "queue", "queued", "running", "scheduled"), ("queue", *OF_ROWS), both_ways("at")),
}

MOMENTS = frozenset(
    {"created_after", "created_before", "failed_after", "failed_before", "finished_after", "finished_before", *OF_ROWS}
)
FIRST_YEAR, LAST_YEAR = 1970, 2200


def moment(text: str) -> datetime:
    """A time with an offset, in UTC. Raises ValueError."""
    try:
        found = datetime.fromisoformat(text).astimezone(UTC) if "T" in text.upper() else None
    except OverflowError:
        found = None
    # without an offset it would be taken for the worker's own time
    if found is None or datetime.fromisoformat(text).tzinfo is None or not FIRST_YEAR <= found.year < LAST_YEAR:
        raise ValueError("A time like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00.")
    return found
