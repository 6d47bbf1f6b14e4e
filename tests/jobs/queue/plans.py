"""A great backlog, and how PostgreSQL runs a statement in it."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from django.db import connection

from jobs.queue import sql
from orgs.models import Org
from tests.factories import WORKER, make_org

WAITING, SCHEDULED, ENDED, RUNNING = 100_000, 20_000, 20_000, 40
DEAD = 1_000
MANY = """
    INSERT INTO jobs_job (id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category,
        predicted_ms, prediction_source, priority, rank_offset, status, run_at, timeout_seconds, max_attempts, attempt,
        attempt_limit, life, fingerprint, correlation_id, created_at, queued_at, finished_at,
        outcome, error_type, error)
    SELECT (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0')
            || '7' || right(md5(number || %(status)s), 19))::uuid,
           %(org_id)s, 'default', (ARRAY['http', 'python', 'shell'])[number %% 3 + 1], 'n', '', '', '{}', 2, 'medium',
           '', 1000, 'default', 0.5, 0, %(status)s, CASE WHEN %(status)s = 'scheduled' THEN made END, 60, 3, 0,
           3, 1, '', 'c', made, made, CASE WHEN %(status)s IN ('done', 'failed') THEN made END,
           '', '', ''
    FROM generate_series(1, %(jobs)s) AS number
    CROSS JOIN LATERAL (SELECT clock_timestamp() - make_interval(days => %(days)s, secs => number) AS made) AS times
"""
READY = """
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held)
    SELECT id, org_id, queue, type, extract(epoch FROM queued_at), queued_at, 0, predicted_ms, false
    FROM jobs_job WHERE status = 'queued'
"""
# Of every other one the time is over.
LEASES = """
    INSERT INTO jobs_lease (job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms,
        name, rank_offset, attempt_limit, leased_at, renewed_at, expires_at, cancel_requested, progress_message)
    SELECT job_id, org_id, queue, type, 1, gen_random_uuid(), %(worker)s, 'w', 1, 'n', 0, 3, clock_timestamp(),
           clock_timestamp(),
           clock_timestamp() + make_interval(hours => CASE WHEN row_number() OVER () %% 2 = 0 THEN 1 ELSE -1 END::int),
           false, ''
    FROM jobs_ready LIMIT %(leases)s
"""
DELTAS = """
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT 0, 'q', 'queued', 1 FROM generate_series(1, 50000)
"""
MOVES = """
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    SELECT org_id, id, queue, NULL, 'queued', 0, 'user:ada', '', created_at FROM jobs_job
"""
ATTEMPTS = """
    INSERT INTO jobs_attempt (job_id, org_id, number, type, name, worker_id, worker_name, started_at, last_beat_at,
        ended_at, outcome, runtime_ms, predicted_ms, error_type, error)
    SELECT id, org_id, number, type, name, id, 'w', queued_at, queued_at, queued_at, 'done', 1, 1, '', ''
    FROM jobs_job, generate_series(1, 5) AS number WHERE status IN ('done', 'failed')
"""
LINES = """
    INSERT INTO jobs_logline (job_id, attempt, sequence, stream, text, at)
    SELECT job.id, 1, line, 'log', 'x', now()
    FROM (SELECT id FROM jobs_job WHERE status = 'failed' LIMIT 1000) AS job, generate_series(1, 100) AS line
"""
KINDS = """
    INSERT INTO jobs_runtimememory (org_id, level, key, runs, failures, means, squares, failed, last_ended, recent_ms,
        recent_failed, recent_ended)
    SELECT %(org_id)s, 1, 'python' || chr(31) || 'n' || kind, 2, 1, '{0.3, 0.1, 0.03}', '{0.2, 0.1, 0.02}', 0.2, 1,
           '{1, 2}', '{false, true}', '{0, 1}'
    FROM generate_series(1, 100000) AS kind
"""
RUNS = """
    INSERT INTO jobs_rundelta (org_id, person, type, name, runtimes_ms, failed, ended, predicted_ms, predicted_low_ms,
        predicted_high_ms, failure_probability, model_version)
    SELECT %(org_id)s, '1', 'python', 'n' || kind, '{1, 2}', '{false, true}', '{2, 3}', '{1, 1}', '{1, NULL}',
           '{2, NULL}', '{NULL, 0.5}', '{1, NULL}'
    FROM generate_series(1, 50000) AS kind
"""
SAMPLES = """
    INSERT INTO jobs_depthsample (org_id, queue, at, queued, running, scheduled)
    SELECT %(org_id)s, 'q', now() - make_interval(secs => sample * 15), 1, 0, 0
    FROM generate_series(1, 100000) AS sample
"""
FURTHER = [DELTAS, MOVES, ATTEMPTS, LINES, KINDS, RUNS, SAMPLES]
# Read from end to end by nothing.
GREAT = {
    "jobs_accuracydelta",
    "jobs_attempt",
    "jobs_depthsample",
    "jobs_job",
    "jobs_logline",
    "jobs_memorydelta",
    "jobs_ready",
    "jobs_rundelta",
    "jobs_runtimememory",
    "jobs_statusdelta",
    "jobs_transition",
}


def fill(org: Org) -> None:
    """Give an organisation a backlog; statistics are as autovacuum would have left them."""
    with connection.cursor() as cursor:
        for status, jobs, days in (
            ("queued", WAITING, 0),
            ("scheduled", SCHEDULED, 0),
            ("failed", ENDED // 2, 60),
            ("done", ENDED // 2, 60),
        ):
            cursor.execute(MANY, {"org_id": org.pk, "status": status, "jobs": jobs, "days": days})
        cursor.execute(READY)
        cursor.execute(LEASES, {"worker": WORKER, "leases": RUNNING})
        cursor.execute("DELETE FROM jobs_ready WHERE job_id IN (SELECT job_id FROM jobs_lease)")
        for statement in FURTHER:
            cursor.execute(statement, {"org_id": org.pk})
        cursor.execute(f"ANALYZE {', '.join(sorted(GREAT | {'jobs_lease'}))}")


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(sorted(GREAT | {'jobs_lease', 'jobs_queue'}))}")


@contextmanager
def filled() -> Iterator[Org]:
    """An organisation with all of it, for a module; nothing of it is left for others, whatever happens."""
    org = make_org()
    try:
        fill(org)
        yield org
    finally:
        clear()
        org.delete()


Nodes = list[dict[str, Any]]
Explain = Callable[..., Nodes]


def plan(name: str, **params: Any) -> Nodes:
    """The nodes of the plan of a statement, as it ran, planned for its values."""
    return ran(sql.statement(name).text, params)


class Seen(Exception):
    """With what a statement would have run."""


def params_of(name: str, call: Callable[[], Any]) -> dict[str, Any]:
    """What `call` gives to a hot statement, which is not run."""
    run = sql.together

    def together(*calls: tuple[str, dict[str, Any]]) -> Any:
        if name in dict(calls):
            raise Seen(dict(calls)[name])
        return run(*calls)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sql, "together", together)
        with pytest.raises(Seen) as seen:
            call()
    found: dict[str, Any] = seen.value.args[0]
    return found


numbers = count(1)


def plan_for_any(name: str, **params: Any) -> Nodes:
    """The same of a prepared statement, planned without knowing them, as PostgreSQL does after some executions."""
    order, prepared = list(params), f"explained_{next(numbers)}"
    text = re.sub(r"%\((\w+)\)s", lambda found: f"${order.index(found[1]) + 1}", sql.statement(name).text)
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE {prepared} AS {text.replace('%%', '%')}")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    values = ", ".join(f"%({name})s" for name in order)
    return ran(f"EXECUTE {prepared} ({values})" if order else f"EXECUTE {prepared}", params)


def ran(text: str, params: dict[str, Any] | list[Any]) -> Nodes:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", params)
        (answer,) = cursor.fetchone()
    tree = json.loads(answer) if isinstance(answer, str) else answer
    return list(nodes(tree[0]["Plan"]))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def assert_by_index(found: Nodes, *, most_rows: int) -> None:
    """No great table is read from end to end, and nothing reads or sorts more rows than it was asked for."""
    for node in found:
        if not node["Actual Loops"]:
            continue
        where = f"{node['Node Type']} on {node.get('Relation Name')}"
        # of an empty table there is nothing to read
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] + node.get("Rows Removed by Filter", 0):
            assert node["Relation Name"] not in GREAT, where
            # a few organisations are read whole; of many each is looked up (test_halted.py)
            if node["Relation Name"] == "orgs_org":
                continue
        if re.search("Scan|Sort|LockRows", node["Node Type"]):
            rows = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            # A bitmap of an index has the rows in it that other tests wrote and rolled back, until they are vacuumed.
            dead = DEAD if node["Node Type"] == "Bitmap Index Scan" else 0
            assert rows <= most_rows + dead, f"{where}: {rows} rows"
