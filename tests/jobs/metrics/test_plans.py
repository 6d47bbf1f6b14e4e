"""A scrape costs about the same whatever there is: no table that grows with the jobs is read through."""

from typing import Any

import pytest
from django.db import connection

from jobs.metrics.database import BOUND
from jobs.models import Delivery, StatusCount, StatusDelta
from jobs.queue import sql
from tests.analytics.test_plans import ATTEMPTS, JOBS, LEASES, MOVES, READY, ROWS, faults
from tests.conftest import World
from tests.factories import make_webhook

pytestmark = pytest.mark.django_db

COUNTS = """
INSERT INTO jobs_statuscount (org_id, queue, status, jobs)
SELECT org_id, queue, 'queued', count(*) FROM jobs_ready GROUP BY org_id, queue
"""
DELIVERIES = """
INSERT INTO jobs_delivery (id, subscriber_id, org_id, event, correlation_id, data, status, attempt, attempts_before,
    next_at, response_body, error, created_at)
SELECT gen_random_uuid(), %(subscriber)s, %(org)s, 'job.done', '', '{}', 'pending', 1, 0,
       now() - make_interval(secs => n), '', 'refused', now()
FROM generate_series(1, 20000) AS n
"""
LARGE = {"jobs_job", "jobs_attempt", "jobs_transition", "jobs_ready", "jobs_delivery"}


def fill(world: World) -> None:
    params = {"org": world.org.pk, "rival": world.rival.pk, "rows": ROWS, "subscriber": make_webhook(world.org).pk}
    with connection.cursor() as cursor:
        for statement in (JOBS, ATTEMPTS, MOVES, LEASES, READY):
            cursor.execute(statement, params)
        StatusDelta.objects.all().delete()
        cursor.execute(COUNTS)
        cursor.execute(DELIVERIES, params)
        cursor.execute("ANALYZE")


def test_no_statement_of_a_scrape_reads_a_large_table_through(world: World) -> None:
    fill(world)
    (upto,) = sql.run("rollups_left", attempts_left=10**12, moves_left=10**12)
    ends = {
        "attempts_after": upto.attempts_left - 2_000, "attempts_upto": upto.attempts_left,
        "moves_after": upto.moves_left - 2_000, "moves_upto": upto.moves_left,
    }  # fmt: skip
    asked: dict[str, dict[str, Any]] = {
        "status_totals": {},
        "vital_signs": {"dead_seconds": 15, "stale_seconds": 15, "bound": BOUND},
        "accuracy_totals": {},
        "model_totals": {"drift_seconds": 900},
        # the leader's, of which the counters are read
        "count_totals": {"types": ["python"], "other": "other", **ends},
    }

    found = [
        fault
        for name, params in asked.items()
        for fault in faults(name, sql.statement(name).text, **params)
        if any(table in fault for table in LARGE)
    ]

    assert (StatusCount.objects.exists(), Delivery.objects.count()) == (True, 20_000)
    assert found == []
