"""A queue that is in use goes on after its tables were changed under it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import sql as names

from jobs.processes.listener import open_session
from tests.processes import Fleet, database_url, patiently

# As the engine before 0003 left its rows: ten jobs wait, of which four run; two are scheduled, one has failed.
ROWS = """
INSERT INTO orgs_org (id, slug, name, shell_programs, created_at) VALUES (7, 'acme', 'Acme', '[]', now());
INSERT INTO jobs_job (id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category,
    predicted_ms, prediction_source, priority, rank_offset, status, run_at, timeout_seconds, max_attempts, attempt,
    attempt_limit, life, fingerprint, correlation_id, created_at, queued_at, finished_at, outcome, error_type, error)
SELECT ('018f0000-0000-7000-8000-0000000000' || lpad(n::text, 2, '0'))::uuid, 7, 'default', 'python', 'n' || n, '', '',
       '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}', 2, 'medium', '', 1, 'default', 0.5, n,
       CASE WHEN n <= 10 THEN 'queued' WHEN n <= 12 THEN 'scheduled' ELSE 'failed' END,
       CASE WHEN n IN (11, 12) THEN now() - interval '1 minute' END, 60, 3, 0, 5, 1, '', 'c',
       now() - interval '1 hour', CASE WHEN n <= 10 THEN now() - make_interval(mins => n) END,
       CASE WHEN n > 12 THEN now() END, '', '', ''
FROM generate_series(1, 13) AS n;
INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, attempt, predicted_ms, held)
SELECT id, 7, queue, type, rank_offset, 0, 1, false FROM jobs_job WHERE status = 'queued' AND name > 'n4';
INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, attempt, predicted_ms, held)
SELECT id, 7, queue, type, rank_offset, 0, 1, false FROM jobs_job WHERE name = 'n10';
INSERT INTO jobs_lease (job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms,
    leased_at, renewed_at, expires_at, cancel_requested, progress_message)
SELECT id, 7, queue, type, 1, id, id, 'old', 1, now(), now(), now() + interval '1 second', false, ''
FROM jobs_job WHERE name IN ('n1', 'n2', 'n3', 'n4');
INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
SELECT 7, id, queue, NULL, CASE WHEN status = 'scheduled' THEN 'scheduled' ELSE 'queued' END, 0, 'system', '', now()
FROM jobs_job;
INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
SELECT 7, job_id, queue, 'queued', 'running', 1, 'worker:old', '', now() FROM jobs_lease;
"""


@pytest.fixture
def scratch(tmp_path: Path, transactional_db: None) -> Iterator[Fleet]:
    """Processes of a database of its own, which is gone afterwards."""
    name = f"{connection.settings_dict['NAME']}_scratch"
    identifier = names.Identifier(name)
    with open_session() as session:
        session.execute(names.SQL("DROP DATABASE IF EXISTS {}").format(identifier))
        session.execute(names.SQL("CREATE DATABASE {}").format(identifier))
        url = database_url().rpartition("/")[0] + f"/{name}"
        fleet = Fleet(tmp_path, DATABASE_URL=url)
        yield fleet
        fleet.close()
        session.execute(names.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def managed(fleet: Fleet, *words: str) -> None:
    process = fleet.manage(*words)
    assert process.ended() == 0, process.text


def rows(session: psycopg.Connection[Any], text: str) -> list[Any]:
    return session.execute(text).fetchall()


def test_jobs_that_waited_and_ran_before_the_engine_changed_are_done_after(scratch: Fleet) -> None:
    managed(scratch, "migrate")
    managed(scratch, "migrate", "jobs", "0002_counts_and_storage")
    with psycopg.connect(scratch.environ["DATABASE_URL"], autocommit=True) as session:
        session.execute(ROWS)

        managed(scratch, "migrate")

        waiting = rows(session, "SELECT job.queued_at = ready.queued_at, ready.limit_key FROM jobs_ready AS ready"
                                " JOIN jobs_job AS job ON job.id = ready.job_id")  # fmt: skip
        assert waiting == [(True, None)] * 6
        running = rows(session, "SELECT name, rank_offset, attempt_limit FROM jobs_lease ORDER BY name")
        assert running == [(f"n{number}", float(number), 5) for number in (1, 2, 3, 4)]
        assert rows(session, "SELECT name FROM jobs_job WHERE due_at IS NOT NULL ORDER BY 1") == [("n11",), ("n12",)]
        assert rows(session, "SELECT name FROM jobs_job WHERE failed_at IS NOT NULL") == [("n13",)]

        for words in ("runwatchdog", "runscheduler", "runworker"):
            scratch.manage(words)
        done = "SELECT count(*) FROM jobs_job WHERE status = 'done'"
        patiently(lambda: rows(session, done) == [(12,)])

        tried = rows(session, "SELECT outcome, count(*) FROM jobs_attempt GROUP BY 1 ORDER BY 1")
        assert tried == [("done", 12), ("lost", 4)]
        left = rows(session, "SELECT (SELECT count(*) FROM jobs_ready), (SELECT count(*) FROM jobs_lease)")
        assert left == [(0, 0)]
