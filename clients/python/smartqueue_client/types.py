"""What the API answers and takes, as types: dictionaries with these keys. openapi.yaml says what each means.

Times are text in UTC, like 2026-01-31T12:00:00.000000Z, so that they also sort as text.
"""

from __future__ import annotations

from typing import Any, TypedDict

ENDED = ("done", "failed", "cancelled")


class _NewJob(TypedDict):
    type: str
    payload: dict[str, Any]


class NewJob(_NewJob, total=False):
    """One job of submit_many()."""

    name: str
    queue: str
    title: str
    description: str
    urgency: str
    category: str
    tags: list[str]
    run_at: str
    delay_seconds: float
    timeout_seconds: int
    max_attempts: int
    retry: Retry
    limit_key: str
    after: list[str]
    after_end: list[str]
    ref: str
    idempotency_key: str


class Expected(TypedDict):
    starts_at: str
    starts_low_at: str
    starts_high_at: str
    ends_at: str
    ends_low_at: str
    ends_high_at: str


class Classification(TypedDict):
    category: str
    urgency: str
    confidence: float
    urgency_confidence: float
    source: str
    action: str
    words: list[str]
    probabilities: dict[str, float]
    # Not of answers of older versions.
    pulls: dict[str, float]
    given: list[str]


class Dependency(TypedDict):
    job_id: str
    condition: str
    status_url: str


class Links(TypedDict):
    attempts: str
    transitions: str
    logs: str
    artefacts: str
    cancellation: str
    replay: str
    classification: str


class Retry(TypedDict, total=False):
    base_seconds: float
    cap_seconds: float


class JobSummary(TypedDict):
    """A job in a list: with the start of `error` only."""

    id: str
    type: str
    name: str
    title: str
    queue: str
    status: str
    urgency: str
    category: str
    tags: list[str]
    classification: Classification | None
    priority: float
    predicted_ms: float
    predicted_low_ms: float | None
    predicted_high_ms: float | None
    failure_probability: float | None
    prediction_source: str
    model_version: int | None
    attempt: int
    max_attempts: int
    life: int
    outcome: str
    error_type: str
    error: str
    progress: float | None
    progress_message: str
    cancel_requested: bool
    worker: str | None
    run_at: str | None
    waits_for: int
    batch_id: str | None
    limit_key: str
    timeout_seconds: int
    retry: Retry | None
    idempotency_key: str | None
    correlation_id: str
    created_by: str | None
    created_at: str
    queued_at: str | None
    expected: Expected | None
    started_at: str | None
    finished_at: str | None
    runtime_ms: float | None
    status_url: str


class Job(JobSummary):
    """A job, whole."""

    description: str
    payload: dict[str, Any]
    result: Any
    dependencies: list[Dependency]
    links: Links


class DeadLetter(JobSummary):
    """A job that failed for good or is out of attempts."""

    reason: str
    attempts: int
    failed_at: str


class Attempt(TypedDict):
    number: int
    worker: str
    started_at: str
    last_beat_at: str
    ended_at: str | None
    outcome: str | None
    runtime_ms: float | None
    predicted_ms: float
    error_type: str
    error: str
    fenced_at: str | None


class Transition(TypedDict):
    id: int
    from_status: str | None
    to_status: str
    attempt: int
    actor: str
    reason: str
    at: str


class LogLine(TypedDict):
    attempt: int
    sequence: int
    stream: str
    text: str
    at: str


class Artefact(TypedDict):
    id: str
    attempt: int
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: str
    url: str


class Counts(TypedDict):
    scheduled: int
    queued: int
    running: int
    done: int
    failed: int
    cancelled: int


class _Queue(TypedDict):
    name: str
    paused: bool
    paused_at: str | None
    pause_reason: str
    resume_at: str | None
    closed: bool
    closed_at: str | None
    close_reason: str
    policy: str
    target_seconds: int | None
    counts: Counts
    waiting_since: str | None
    late: bool
    workers: int
    slots: int
    max_running: int | None
    empty_in_seconds: float | None


class Queue(_Queue, total=False):
    paused_by: str | None
    closed_by: str | None


class KindPause(TypedDict):
    id: str
    type: str
    name: str
    reason: str
    paused_at: str
    paused_by: str | None
    resume_at: str | None


class FieldError(TypedDict):
    pointer: str
    code: str
    detail: str


class _BulkItem(TypedDict):
    index: int
    status: str


class BulkItem(_BulkItem, total=False):
    """What became of one job of submit_many(): created, existing or refused."""

    id: str
    status_url: str
    code: str
    detail: str
    errors: list[FieldError]


class DryRun(TypedDict):
    kind: str
    matched: int
    more: bool


class BulkOperation(TypedDict):
    """An act over many jobs; `state` is pending, running, done, stopped or undone."""

    id: str
    kind: str
    state: str
    filter: dict[str, Any]
    parameters: dict[str, Any]
    reason: str
    matched: int | None
    matched_more: bool
    done: int
    skipped: int
    failed: int
    rate: float | None
    seconds_left: float | None
    created_by: str | None
    created_at: str
    start_at: str
    started_at: str | None
    ended_at: str | None
    ended_because: str
    outcomes_url: str


class BulkJobOutcome(TypedDict):
    job_id: str
    outcome: str
    words: str
    at: str
    status_url: str


class Cancelled(TypedDict):
    id: str
    became: str
    status_url: str


class Forecast(TypedDict):
    predicted_ms: float
    low_ms: float | None
    high_ms: float | None
    failure_probability: float | None
    source: str
    model_version: int | None
    priority: float
    starts_in_seconds: float | None
    expected: Expected | None


class ByStatus(TypedDict):
    scheduled: int
    queued: int
    running: int
    done: int
    failed: int
    cancelled: int


class OrgCounts(TypedDict):
    total: int
    by_status: ByStatus
    active_workers: int
    queue_depth: int
    dead_letters: int


class Running(TypedDict):
    job_id: str | None
    title: str | None
    since: str
    expires_at: str


class Process(TypedDict):
    id: str
    kind: str
    name: str
    hostname: str
    pid: int
    version: str
    status: str
    late: bool
    slots: int
    queues: list[str]
    types: list[str]
    started_at: str
    beat_at: str
    beat_age_seconds: float
    stopped_at: str | None
    cpu_percent: float
    memory_bytes: int
    jobs_processed: int
    labels: dict[str, str]
    command: str
    commanded_at: str | None
    obeyed_at: str | None
    running: list[Running]


class Flow(TypedDict):
    at: str
    done: int
    failed: int
    retried: int
    dead: int
    created: int
    wait_p50_seconds: float | None
    wait_p95_seconds: float | None
    wait_p99_seconds: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None
    run_p99_ms: float | None


class Throughput(TypedDict):
    hours: int
    bucket_seconds: int
    complete: bool
    buckets: list[Flow]
