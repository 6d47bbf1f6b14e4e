"""A claim of one organisation's external jobs costs the same however many wait for others."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.models import Lease, Ready
from jobs.queue import sql
from jobs.queue.external import Puller, pull
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.plans import MANY, Explain, assert_by_index, plan, plan_for_any

pytestmark = pytest.mark.django_db

OTHERS = 200_000
# The other organisation's, older than any; the index is as long for these as for a million.
WAITING = """
    INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held, limit_key)
    SELECT gen_random_uuid(), %s, 'default', 'external', number, now(), 0, 1000, false,
           CASE WHEN number %% 10 = 0 THEN 'k' || number %% 1000 END
    FROM generate_series(1, %s) AS number
"""


@pytest.fixture(scope="module")
def others(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The id of an organisation with a great many external jobs waiting."""
    with django_db_blocker.unblock():
        org = make_org()
        with connection.cursor() as cursor:
            cursor.execute(WAITING, [org.pk, OTHERS])
            cursor.execute(MANY, {"org_id": org.pk, "status": "done", "jobs": 20_000, "days": 1})
            cursor.execute("ANALYZE jobs_ready, jobs_lease, jobs_job")
        yield org.pk
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE jobs_ready, jobs_job, jobs_transition, jobs_statusdelta, jobs_statuscount")
        org.delete()


@pytest.fixture
def org(others: int, db: None) -> Org:
    return make_org()


@pytest.fixture(params=["custom", "generic"])
def explain(request: pytest.FixtureRequest) -> Explain:
    return plan if request.param == "custom" else plan_for_any


def asked(org: Org, **fields: Any) -> dict[str, Any]:
    return {
        "org_id": org.pk,
        "queue": "default",
        "slots": 5,
        "worker_id": Puller(org.pk, "w").id,
        "worker_name": "w",
        "lease_seconds": 30.0,
        "secret": "s",
        **fields,
    }


def external(org: Org, **fields: Any) -> Any:
    return make_job(org, type="external", payload={"task": "t"}, **fields)


def test_a_claim_reads_what_it_takes(explain: Explain, org: Org) -> None:
    for _ in range(8):
        external(org)

    found = explain("claim_external", **asked(org))

    assert_by_index(found, most_rows=8)
    assert any(node.get("Index Name") == "ready_external_idx" for node in found)


def test_a_claim_that_finds_nothing_reads_nothing(explain: Explain, org: Org) -> None:
    assert_by_index(explain("claim_external", **asked(org)), most_rows=1)


def test_a_look_for_those_who_wait_reads_a_row_of_each(explain: Explain, others: int, org: Org) -> None:
    external(org)
    places = {"org_ids": [org.pk, others, org.pk], "queues": ["default", "default", "none"]}

    assert_by_index(explain("waiting_external", **places), most_rows=3)


def test_whether_some_are_limited_is_one_look(explain: Explain, org: Org) -> None:
    assert_by_index(explain("limited_external", queue="default", org_id=org.pk), most_rows=1)


def test_limited_jobs_of_others_are_not_walked_through(org: Org) -> None:
    """Two statements in one transaction, as they are called: their rows read, by the database's own count."""
    jobs = [external(org, limit_key="x") for _ in range(3)]
    Ready.objects.filter(job_id__in=[job.pk for job in jobs]).update(limit_key="x")
    span = {"types": ["external"], "after_org": org.pk - 1, "after_key": "", "last_org": org.pk, "runs": 300}
    sql.run("lock_external_limits", **asked(org))

    found = plan("claim_external_limited", **asked(org, **span))

    read = [node["Actual Rows"] * node["Actual Loops"] for node in found if node.get("Relation Name") == "jobs_ready"]
    assert max(read) <= 6
    assert Lease.objects.filter(org_id=org.pk).count() == 3


def test_it_takes_its_own_among_all(org: Org) -> None:
    mine = {external(org).pk for _ in range(3)}

    taken = pull(Puller(org.pk, "w"), queues=["default"], slots=20, lease_seconds=30)

    assert {one.job_id for one in taken} == mine
    assert Ready.objects.count() == OTHERS
