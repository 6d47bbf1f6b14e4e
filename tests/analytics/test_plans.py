"""How the questions are answered among many rows: by an index, and reading little beside what is asked for."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from analytics import queries, sql
from jobs.queue import sql as queue_sql
from tests.conftest import World

pytestmark = pytest.mark.django_db

ROWS = 100_000
# Leases are as many as slots.
LARGE = {
    "jobs_job",
    "jobs_attempt",
    "jobs_transition",
    "jobs_depthsample",
    "jobs_ready",
    "jobs_accuracy",
    "jobs_rollup",
}

# Every second job is acme's, but the newest moves are all its rival's. A hundredth failed, the last two thousand wait.
# One a second, up to now.
JOBS = """
INSERT INTO jobs_job (
    id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category, predicted_ms,
    prediction_source, priority, rank_offset, status, timeout_seconds, max_attempts, attempt, attempt_limit, life,
    fingerprint, correlation_id, created_at, queued_at, started_at, finished_at, runtime_ms, outcome, error_type, error)
SELECT gen_random_uuid(), CASE WHEN n %% 2 = 0 THEN %(org)s ELSE %(rival)s END, 'q' || n %% 3, 'python', 'k' || n %% 50,
       '', '', '{}', 2, 'medium', '', 100, 'history', 0.5, 0,
       CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n > %(rows)s - 2000 THEN 'queued' ELSE 'done' END,
       300, 4, 1, 4, 1, '', 'x', at, at, at,
       CASE WHEN n %% 100 = 0 OR n <= %(rows)s - 2000 THEN at END, 100, '', '', ''
FROM generate_series(1, %(rows)s) AS n, LATERAL (SELECT now() - make_interval(secs => %(rows)s - n) AS at) AS time
"""
ATTEMPTS = """
INSERT INTO jobs_attempt (
    job_id, org_id, number, type, name, worker_id, worker_name, started_at, last_beat_at, ended_at, outcome,
    runtime_ms, predicted_ms, error_type, error)
SELECT id, org_id, 1, type, name, id, 'w', queued_at, queued_at, queued_at,
       CASE status WHEN 'failed' THEN 'error' ELSE 'done' END, 100, 100, '', ''
FROM jobs_job
"""
MOVES = """
INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
SELECT org_id, id, queue, NULL, 'queued', 0, 'user:ada', '', created_at FROM jobs_job ORDER BY org_id, created_at
"""
SAMPLES = """
INSERT INTO jobs_depthsample (org_id, queue, at, queued, running, scheduled)
SELECT CASE WHEN n %% 2 = 0 THEN %(org)s ELSE %(rival)s END, 'q', now() - make_interval(secs => n * 15), 1, 1, 0
FROM generate_series(1, %(rows)s) AS n
"""
LEASES = """
INSERT INTO jobs_lease (
    job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms, name, rank_offset,
    attempt_limit, leased_at, renewed_at, expires_at, cancel_requested, progress_message)
SELECT id, org_id, queue, type, 1, id, id, 'w', 100, name, 0, 4, now(), now(), now(), false, ''
FROM jobs_job WHERE status = 'queued' ORDER BY queued_at LIMIT 50
"""
# The rest of those that wait; of its rival's many more, from long ago, are in the order too.
READY = """
INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held)
SELECT id, org_id, queue, type, extract(epoch FROM queued_at), queued_at, 0, 100, false
FROM jobs_job WHERE status = 'queued' AND id NOT IN (SELECT job_id FROM jobs_lease)
UNION ALL
SELECT gen_random_uuid(), %(rival)s, 'q', 'python', n, to_timestamp(n), 0, 100, false
FROM generate_series(1, %(rows)s) AS n
"""
# By the hour, of two models; its rival is one of many.
ACCURACY = """
INSERT INTO jobs_accuracy (org_id, hour, model_version, runs, log2_error, log2_bias, relative_error, within_2x, ranged,
    in_range, risked, risk, failed)
SELECT org, date_trunc('hour', now()) - make_interval(hours => n), version, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0
FROM generate_series(1, 120) AS n, generate_series(%(org)s, %(rival)s + 400) AS org, generate_series(0, 1) AS version
"""
# By the minute, hour and day, of several kinds and of all of them; its rival is one of many.
ROLLUPS = """
INSERT INTO jobs_rollup (org_id, seconds, at, queue, type, name, done, error, timeout, crashed, lost, cancelled,
    released, retried, dead, created, waited, wait_ms, run_ms, predicted_ms, judged, log2_error, log2_bias,
    relative_error, ranged, in_range, bins, counts)
SELECT org, seconds, date_bin(make_interval(secs => seconds), now(), '2001-01-01 00:00+00')
                     - make_interval(secs => seconds * n),
       CASE WHEN kind > 0 THEN 'q' ELSE '' END, CASE WHEN kind > 0 THEN 'python' ELSE '' END,
       CASE WHEN kind > 0 THEN 'k' || kind ELSE '' END,
       1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, '{1100,2100}', '{1,1}'
FROM generate_series(0, 250) AS n, unnest(ARRAY[60, 3600, 86400]) AS seconds, generate_series(0, 5) AS kind,
     generate_series(%(org)s, %(rival)s + 30) AS org
"""
OVER_TIME = {"queue": "", "type": "", "kind": "", "narrowed": False}
SUMS_OF = {"queue": "", "type": "", "minute_days": 2, "rows": 100}
SUMS: list[tuple[str, dict[str, Any]]] = [
    ("sums_over_time", {**OVER_TIME, "seconds": 60, "stride_seconds": 60, "buckets": 60}),
    ("sums_over_time", {**OVER_TIME, "seconds": 3600, "stride_seconds": 10_800, "buckets": 56}),
    ("sums_over_time", {**OVER_TIME, "seconds": 60, "stride_seconds": 60, "buckets": 60, "narrowed": True}),
    *(("sums_of", {**SUMS_OF, "hours": hours, "by": by}) for hours in (1, 30, 720) for by in ("all", "kind")),
    ("ended_by_queue", {"minutes": 60}),
]
QUESTIONS: dict[str, dict[str, Any]] = {
    "counts": {"dead_seconds": 15},
    "health": {"bound": queries.DEAD_BOUND},
    "unserved": {"dead_seconds": 15, "bound": queries.DEAD_BOUND},
    "pulse": {"dead_seconds": 15, "bound": queries.DEAD_BOUND},
    "worker_jobs": {"worker_id": UUID(int=1), "bound": 500, "most": 20},
    "reclaimed": {"bound": 500},
    "depth": {"stride_seconds": 60, "buckets": 60, "queue": ""},
    "attempts": {"hours": 1, "attempts": 500, "read": 1_000, "queue": "", "type": ""},
    "marks": {"hours": 24, "actions": ["queue.pause"], "marks": queries.MOST_MARKS},
    "predictions": {"points": queries.PREDICTION_POINTS},
    "accuracy": {"hours": 720, "stride_seconds": 43_200},
    "steps": {"actor": "user:ada", "user_id": 1, "bound": 2_000},
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def faults(name: str, text: str, **params: Any) -> Iterator[str]:
    """What a plan reads that was not asked for."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text, params)
        (found,) = cursor.fetchone() or ("",)
    for node in nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            yield f"{name}: a sequential scan of {node['Relation Name']}"
        thrown_away = node.get("Rows Removed by Filter", 0) * node.get("Actual Loops", 1)
        if "Relation Name" in node and thrown_away > 500:
            yield f"{name}: {thrown_away} rows of {node['Relation Name']} read and thrown away"


def test_every_question_is_answered_from_an_index_and_reads_what_it_needs(world: World) -> None:
    params = {"org": world.org.pk, "rival": world.rival.pk, "rows": ROWS}
    with connection.cursor() as cursor:
        for statement in (JOBS, ATTEMPTS, MOVES, SAMPLES, LEASES, READY, ACCURACY, ROLLUPS):
            cursor.execute(statement, params)
        cursor.execute("ANALYZE")

    found = [
        fault
        for name, more in QUESTIONS.items()
        for fault in faults(name, sql.statement(name), org_id=world.org.pk, **more)
    ]
    for name, params in SUMS:
        found += faults(name, queue_sql.statement(name).text, org_id=world.org.pk, **params)
    # asked at every poll of every page
    version = queue_sql.statement("org_version")
    found += faults(version.name, version.text, org_id=world.org.pk, moves=64)

    assert not found, found


def test_every_statement_of_an_organisation_is_looked_at() -> None:
    of_org = {path.stem for path in sql.FOLDER.glob("*.sql") if "org_id" in sql.statement(path.stem)}

    assert of_org == set(QUESTIONS)
