"""How PostgreSQL runs the statements about dependencies and batches when there is a great deal of them: by an index."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now

from jobs.models import Batch, Dependency, Ending, Job
from jobs.queue.batches import unended
from jobs.queue.callbacks import call_back
from jobs.queue.release import release
from jobs.queue.shares import spacing
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.plans import MANY, Explain, assert_by_index, plan, plan_for_any

pytestmark = pytest.mark.django_db

RUNNING, WAITING, DONE = 60_000, 40_000, 20_000
PARENTS = 1_000
# Each waiting job waits for two of a thousand others; every tenth of those has ended, and nobody has heard of it.
DEPENDENCIES = """
    WITH parents AS (
        SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM jobs_job WHERE status = 'queued' LIMIT 1000
    ), children AS (
        SELECT id, org_id, row_number() OVER (ORDER BY id) AS number FROM jobs_job WHERE status = 'scheduled'
    )
    INSERT INTO jobs_dependency (parent_id, child_id, org_id, condition)
    SELECT parents.id, children.id, children.org_id, 'success'
    FROM children JOIN parents ON parents.number IN (children.number %% 1000, (children.number + 1) %% 1000)
"""
ENDINGS = """
    INSERT INTO jobs_ending (org_id, job_id, status, batch_id)
    SELECT org_id, parent_id, 'done', %(batch)s FROM (SELECT DISTINCT org_id, parent_id FROM jobs_dependency) AS parents
"""
# One was made each minute, for two weeks.
BATCHES = """
    INSERT INTO jobs_batch (id, org_id, name, total, done, failed, cancelled, correlation_id, created_at, finished_at,
        callback, callback_when, callback_error, callback_due_at, idempotency_key)
    SELECT gen_random_uuid(), %(org_id)s, '', 5, 0, 0, 0, 'c', made, made, '{"type": "python"}', 'end', '',
           CASE WHEN number %% 1000 = 0 THEN now() END, number
    FROM generate_series(1, 20000) AS number
    CROSS JOIN LATERAL (SELECT now() - make_interval(mins => number) AS made) AS times
"""


@pytest.fixture(scope="module")
def backlog(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The id of an organisation with all this; statistics are as autovacuum would have left them."""
    tables = "jobs_job, jobs_dependency, jobs_ending, jobs_batch"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        org = make_org()
        for status, jobs in (("queued", RUNNING), ("scheduled", WAITING), ("done", DONE)):
            cursor.execute(MANY, {"org_id": org.pk, "status": status, "jobs": jobs, "days": 0})
        cursor.execute("UPDATE jobs_job SET run_at = NULL, waiting_on = 2 WHERE status = 'scheduled'")
        cursor.execute(DEPENDENCIES, {})
        cursor.execute(BATCHES, {"org_id": org.pk})
        cursor.execute(ENDINGS, {"batch": Batch.objects.values_list("pk", flat=True)[0]})
        cursor.execute(
            "UPDATE jobs_job SET batch_id = %s WHERE status IN ('done', 'scheduled')", [Batch.objects.latest("pk").pk]
        )
        cursor.execute(f"ANALYZE {tables}")
        yield org.pk
        cursor.execute(f"TRUNCATE {tables}")
        org.delete()


@pytest.fixture
def org(backlog: int, db: None) -> Org:
    return Org.objects.get(pk=backlog)


def assert_reads(found: list[dict[str, Any]], *, most_rows: int) -> None:
    assert_by_index(found, most_rows=most_rows)
    scanned = [node.get("Relation Name") for node in found if node["Node Type"] == "Seq Scan" and node["Actual Loops"]]
    assert not {"jobs_dependency", "jobs_ending", "jobs_batch"} & set(scanned)


def test_a_release_reads_its_batch(org: Org) -> None:
    assert Dependency.objects.count() == 2 * WAITING

    found = plan("release", batch=100, **spacing())

    # an end and its children may each be looked at in a few places, none of them more than once a row
    assert_reads(found, most_rows=202)
    assert Ending.objects.count() == PARENTS - 1
    assert Dependency.objects.count() == 2 * WAITING - 100


def test_a_release_of_the_last_parents_reads_only_their_children(org: Org) -> None:
    Ending.objects.exclude(pk__in=Ending.objects.values("pk")[:3]).delete()

    found = plan("release", batch=1_000, **spacing())

    assert_reads(found, most_rows=1_000)
    assert Dependency.objects.count() == 2 * WAITING - 3 * 80
    assert not Ending.objects.exists()


def test_tying_a_job_reads_its_parents(org: Org) -> None:
    parents = list(Job.objects.filter(status="queued").values_list("pk", flat=True)[:50])

    found = plan("tie", children=[UUID(int=1)] * 50, parents=parents, conditions=["end"] * 50, org_id=org.pk)

    assert_reads(found, most_rows=50)


def test_an_end_that_is_waited_for_reads_its_own_job(org: Org) -> None:
    job = Job.objects.filter(status="scheduled").order_by("pk")[1_000]

    assert_reads(plan("cancel", job_ids=[job.pk], org_id=org.pk, actor="a", reason=""), most_rows=10)


def explained(query: Any) -> str:
    return str(query.explain(analyze=True))


def test_a_callback_that_is_due_is_found_by_its_time(org: Org) -> None:
    due = Batch.objects.filter(callback_due_at__isnull=False).order_by("callback_due_at")[:1]

    assert "batch_callback_due_idx" in explained(due)
    while call_back():
        pass
    assert not due.exists()


def test_the_jobs_of_a_batch_are_read_a_page_at_a_time(org: Org) -> None:
    batch_id = Batch.objects.latest("pk").pk

    plan = explained(Job.objects.filter(batch_id=batch_id, pk__gt=UUID(int=0)).order_by("pk")[:1_000])

    assert "job_batch_idx" in plan
    assert len(next(unended(batch_id))) == 1_000


def test_keys_of_batches_that_ended_are_found_by_their_age(org: Org) -> None:
    found = plan("expire_batch_keys", hours=24, batch=500)

    # what other tests wrote and took back is still in the index
    assert_reads(found, most_rows=550)
    assert any(node.get("Index Name") == "batch_idempotency_age_idx" for node in found)
    assert Batch.objects.filter(idempotency_key=None).count() == 500
    assert_reads(plan("expire_batch_keys", hours=24 * 100, batch=500), most_rows=1)


@pytest.mark.parametrize("explain", [plan, plan_for_any])
def test_a_batch_with_a_key_reads_none_of_the_others(org: Org, explain: Explain) -> None:
    values = {"id": UUID(int=1), "org_id": org.pk, "called": "", "total": 1, "correlation_id": "c", "user_id": None}
    values |= {"callback": None, "callback_when": "", "idempotency_key": "100", "fingerprint": "f"}

    found = explain("make_batch", **values)

    assert_reads(found, most_rows=1)
    assert (found[0]["Conflict Arbiter Indexes"], found[0]["Conflicting Tuples"]) == (["batch_idempotency_uniq"], 1)
    assert "batch_idempotency_uniq" in explained(Batch.objects.for_org(org).filter(idempotency_key="100"))


def test_batches_that_ended_long_ago_are_found_by_their_age(org: Org) -> None:
    with_jobs = Batch.objects.latest("pk")
    Batch.objects.filter(pk=with_jobs.pk).update(finished_at=Now() - timedelta(days=60), callback_due_at=None)
    old = Batch.objects.filter(finished_at__lt=Now() - timedelta(days=13), callback_due_at=None)
    before = old.count()
    assert before > 1_000

    found = plan("prune_batches", days=13)

    # what other tests wrote and took back is still in the index
    assert_reads(found, most_rows=2 * before)
    assert any(node.get("Index Name") == "batch_age_idx" for node in found)
    assert list(old) == [with_jobs]
    assert_reads(plan("prune_batches", days=100), most_rows=1)


def test_a_sweep_with_dependents_reads_its_batch(org: Org) -> None:
    Job.objects.filter(status="done").update(has_dependents=True)

    found = plan("prune", after=UUID(int=0), days=0, dead_letter_days=0, batch=500)

    assert_reads(found, most_rows=501)


def test_releases_come_to_an_end(org: Org) -> None:
    told = release(batch=50_000)
    while told.more:
        told = release(batch=50_000)

    assert not Dependency.objects.exists()
    assert Job.objects.filter(status="queued").count() == RUNNING + WAITING
