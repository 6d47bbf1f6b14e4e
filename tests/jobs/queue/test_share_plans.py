"""What the leader asks of a great backlog each second."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.queue import sql
from jobs.queue.keep_order import compare_starts, keep_backlog, keep_shares
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.plans import DEAD, RUNNING, Nodes, assert_by_index, clear, fill, plan, plan_for_any, ran

pytestmark = pytest.mark.django_db

READ = 2_000
# More share rows than organisations that are looked at, none of them ahead.
SHARES = """
    INSERT INTO jobs_queueshare (org_id, queue, lead_until, rate, mean_log_ms, mean_square, jobs, looked_at)
    SELECT number, 'q' || number % 7, clock_timestamp() - interval '1 hour', 5, 7, 50, 1, clock_timestamp()
    FROM generate_series(1000000, 1050000) AS number
"""

AHEAD = """
    INSERT INTO jobs_queueshare (org_id, queue, lead_until, rate, mean_log_ms, mean_square, jobs, looked_at)
    VALUES (%s, 'default', clock_timestamp() + interval '1 hour', 5, 7, 50, 1, clock_timestamp())
"""


@pytest.fixture(scope="module")
def org(django_db_setup: None, django_db_blocker: Any) -> Iterator[Org]:
    with django_db_blocker.unblock():
        org = make_org("great")
        fill(org)
        with connection.cursor() as cursor:
            cursor.execute(SHARES)
            cursor.execute(AHEAD, [org.pk])
            cursor.execute("ANALYZE jobs_queueshare")
        yield org
        clear()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE jobs_queueshare, jobs_backlog")
            cursor.execute("DELETE FROM orgs_org WHERE id = %s", [org.pk])


def plan_of(name: str, call: Any) -> Nodes:
    """Of the statement as the leader runs it."""
    asked: dict[str, Any] = {}
    run = sql.run

    def noting(found: str, **params: Any) -> Any:
        if found == name and params.get("queue", "default") == "default":
            asked.update(params)
            return []
        return run(found, **params)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("jobs.queue.keep_order.READ_JOBS", READ)
        patched.setattr(sql, "run", noting)
        call()
    return ran(sql.statement(name).text, asked)


def test_shares_are_kept_from_a_bounded_part_of_the_backlog(org: Org) -> None:
    assert_by_index(plan_of("keep_shares", keep_shares), most_rows=READ + DEAD)
    reads = plan_of("keep_shares", keep_shares)
    ready = [node for node in reads if node.get("Relation Name") == "jobs_ready"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in ready) <= READ + 3 * RUNNING


def test_the_backlog_is_measured_by_a_bounded_part(org: Org) -> None:
    assert_by_index(plan_of("keep_backlog", keep_backlog), most_rows=READ + DEAD)


def test_starts_are_compared_by_the_newest_attempts(org: Org) -> None:
    assert_by_index(plan_of("compare_starts", compare_starts), most_rows=2_000)


def test_errors_of_starts_are_those_of_a_bounded_number(org: Org) -> None:
    assert_by_index(plan("start_errors", org_id=org.pk, attempts=500), most_rows=501)


@pytest.mark.parametrize("how", [plan, plan_for_any])
def test_a_share_and_a_backlog_are_looked_up(org: Org, how: Any) -> None:
    assert_by_index(how("share", org_id=org.pk, queue="default"), most_rows=2)
    assert_by_index(how("backlog", queue="default"), most_rows=20)


def test_a_job_is_re_ranked_by_its_key(org: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT job_id FROM jobs_ready LIMIT 1")
        (job_id,) = cursor.fetchone()

    found = plan("rerank", job_id=job_id, org_id=org.pk, urgency="high", stretch=0.5, rank_offset=1.0, was=0.0)

    assert_by_index(found, most_rows=2)
