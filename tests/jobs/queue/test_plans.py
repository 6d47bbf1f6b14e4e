"""How PostgreSQL runs the hot statements when a great deal is waiting: by an index, and no further than asked."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.models import Job, Lease, Ready, StatusDelta
from jobs.queue import sql
from orgs.models import Org
from tests.factories import WORKER, make_org

pytestmark = pytest.mark.django_db

WAITING, SCHEDULED, ENDED, RUNNING = 60_000, 20_000, 20_000, 40
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
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, attempt, predicted_ms, held)
    SELECT id, org_id, queue, type, extract(epoch FROM queued_at), 0, predicted_ms, false
    FROM jobs_job WHERE status = 'queued'
"""
# Of every other one the time is over.
LEASES = """
    INSERT INTO jobs_lease (job_id, org_id, queue, type, attempt, token, worker_id, worker_name, predicted_ms,
        leased_at, renewed_at, expires_at, cancel_requested, progress_message)
    SELECT job_id, org_id, queue, type, 1, gen_random_uuid(), %(worker)s, 'w', 1, clock_timestamp(), clock_timestamp(),
           clock_timestamp() + make_interval(hours => CASE WHEN row_number() OVER () %% 2 = 0 THEN 1 ELSE -1 END::int),
           false, ''
    FROM jobs_ready LIMIT %(leases)s
"""
DELTAS = """
    INSERT INTO jobs_statusdelta (org_id, queue, status, jobs)
    SELECT 1, 'q', 'queued', 1 FROM generate_series(1, 50000)
"""


@pytest.fixture(scope="module")
def backlog(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The id of an organisation with a hundred thousand jobs; statistics are as autovacuum would have left them."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        org = make_org()
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
        cursor.execute(DELTAS)
        cursor.execute("ANALYZE jobs_job, jobs_ready, jobs_lease, jobs_statusdelta")
        yield org.pk
        cursor.execute("TRUNCATE jobs_job, jobs_ready, jobs_lease, jobs_statusdelta")
        org.delete()


@pytest.fixture
def org(backlog: int, db: None) -> Org:
    return Org.objects.get(pk=backlog)


def plan(name: str, **params: Any) -> list[dict[str, Any]]:
    """The nodes of the plan of a statement, as it ran."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.statement(name).text}", params)
        (answer,) = cursor.fetchone()
    tree = json.loads(answer) if isinstance(answer, str) else answer
    return list(nodes(tree[0]["Plan"]))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def assert_by_index(found: list[dict[str, Any]], *, most_rows: int) -> None:
    """No great table is read from end to end, and nothing reads or sorts more rows than it was asked for."""
    for node in found:
        if not node["Actual Loops"]:
            continue
        where = f"{node['Node Type']} on {node.get('Relation Name')}"
        if node["Node Type"] == "Seq Scan":
            assert node["Relation Name"] not in {"jobs_job", "jobs_ready", "jobs_statusdelta"}, where
        if re.search("Scan|Sort|LockRows", node["Node Type"]):
            rows = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert rows <= most_rows, f"{where}: {rows} rows"


def test_a_claim_reads_the_heads_of_its_types(org: Org) -> None:
    found = plan(
        "claim",
        queue="default",
        types=["http", "python", "shell"],
        slots=10,
        worker_id=WORKER,
        worker_name="w",
        actor="w",
        lease_seconds=30,
    )

    assert_by_index(found, most_rows=30)
    # Read again, the heads would be locked and counted twice.
    (heads,) = [node for node in found if node.get("Subplan Name") == "CTE heads"]
    assert heads["Actual Loops"] == 1
    (locked,) = [node for node in found if node["Node Type"] == "LockRows"]
    assert locked["Actual Rows"] * locked["Actual Loops"] <= 30
    assert any(node.get("Index Name") == "ready_claim_idx" for node in found)


def test_a_claim_takes_no_more_than_its_slots_whatever_the_plan(org: Org) -> None:
    for switch in ("enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_material", "enable_indexscan"):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL {switch} = off")
        before = Lease.objects.count()

        rows = sql.run(
            "claim",
            queue="default",
            types=["http", "python", "shell"],
            slots=7,
            worker_id=WORKER,
            worker_name="w",
            actor="w",
            lease_seconds=30,
        )

        assert len(rows) == 7
        assert Lease.objects.count() == before + 7
        assert Ready.objects.count() == WAITING - Lease.objects.count()


def test_a_look_for_what_waits_reads_one_row_a_type(org: Org) -> None:
    assert_by_index(plan("waiting", queues=["none", "default"], types=["http", "python"]), most_rows=2)
    assert_by_index(plan("busy_queues"), most_rows=2)


def test_a_promotion_reads_its_batch_in_order_of_the_due_time(org: Org) -> None:
    found = plan("promote", batch=500, actor="leader")

    assert_by_index(found, most_rows=501)
    assert any(node.get("Index Name") == "job_promote_idx" for node in found)


def test_a_rescue_reads_the_leases_and_their_jobs(org: Org) -> None:
    assert_by_index(plan("rescue", batch=500, actor="watchdog"), most_rows=RUNNING)


def test_a_renewal_reads_the_leases_only(org: Org) -> None:
    tokens = list(Lease.objects.values_list("token", flat=True))

    assert_by_index(plan("renew", worker_id=WORKER, tokens=tokens, lease_seconds=30), most_rows=RUNNING)


def test_an_end_reads_its_own_job(org: Org) -> None:
    ended = [
        {"job_id": str(lease.job_id), "attempt": 1, "token": str(lease.token), "outcome": "done", "result": 1}
        for lease in Lease.objects.all()[:10]
    ]
    for row in ended:
        row |= {"error_type": "", "error": "", "retry_seconds": 0, "permanent": False}

    assert_by_index(plan("finish", ended=json.dumps(ended), actor="w"), most_rows=RUNNING)


@pytest.mark.parametrize("status", ["queued", "scheduled"])
def test_a_cancellation_reads_its_job(org: Org, status: str) -> None:
    job = Job.objects.filter(status=status).order_by("id")[1000]

    found = plan("cancel", job_ids=[job.pk], org_id=org.pk, actor="a", reason="")

    assert_by_index(found, most_rows=RUNNING)


def test_a_replay_reads_the_jobs_it_is_given(org: Org) -> None:
    dead = list(Job.objects.dead_letters().values_list("pk", flat=True)[:100])

    assert_by_index(
        plan("replay", job_ids=dead, org_id=org.pk, actor="a", payload=None, payload_bytes=None), most_rows=100
    )


def test_a_sweep_reads_its_batch_from_the_old_end(org: Org) -> None:
    found = plan("prune", after="00000000-0000-0000-0000-000000000000", days=30, dead_letter_days=90, batch=500)

    assert_by_index(found, most_rows=501)


def test_a_fold_reads_its_batch(org: Org) -> None:
    assert_by_index(plan("fold_counts", batch=1000), most_rows=1001)
    assert StatusDelta.objects.filter(org_id=1).count() == 49_000


def test_freeing_what_is_held_reads_nothing_of_a_queue_that_stays_paused(org: Org) -> None:
    Ready.objects.filter(type="http").update(held=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_queue (org_id, name, paused_at, pause_reason) VALUES (%s, 'default', now(), '')", [org.pk]
        )
        cursor.execute("ANALYZE jobs_ready")

    assert_by_index(plan("unhold", batch=500), most_rows=2)


def test_keys_that_ended_are_found_by_their_age(org: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET idempotency_key = id WHERE status <> 'queued'")
        cursor.execute("ANALYZE jobs_job")

    assert_by_index(plan("expire_keys", hours=24, batch=500), most_rows=501)
