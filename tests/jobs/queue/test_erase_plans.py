"""How PostgreSQL erases a batch of an organisation that has a great deal: by an index, no further than the batch."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from jobs.models import Job
from jobs.queue import sql
from jobs.queue.upkeep import OLDEST
from orgs.erasing import SWEEP
from orgs.models import Org
from tests.factories import make_delivery, make_org, make_webhook
from tests.jobs.queue.plans import assert_by_index, filled, plan, ran

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def backlog(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The id of an organisation with nearly all there is."""
    with django_db_blocker.unblock(), filled() as org:
        yield org.pk


@pytest.fixture
def org(backlog: int, db: None) -> Org:
    """As in the leader's transaction."""
    sql.run("by_index")
    Org.objects.filter(pk=backlog).update(erase_at=Now(), erasing_at=Now())
    return Org.objects.get(pk=backlog)


def test_jobs_and_what_hangs_on_them_are_looked_up(org: Org) -> None:
    # of some a hundred lines
    found = plan("erase_jobs", org_id=org.pk, after=OLDEST, batch=10)

    assert_by_index(found, most_rows=10 * 100)


def test_further_jobs_are_not_looked_for_from_the_beginning(org: Org) -> None:
    after = Job.objects.filter(org=org).order_by("pk")[15_000].pk

    assert_by_index(plan("erase_jobs", org_id=org.pk, after=after, batch=10), most_rows=10 * 100)


def test_what_waits_is_looked_up(org: Org) -> None:
    assert_by_index(plan("erase_ready", org_id=org.pk, batch=10), most_rows=10)


@pytest.mark.parametrize("table", ["jobs_attempt", "jobs_transition", "jobs_depthsample", "jobs_runtimememory"])
def test_a_table_is_swept_by_its_index(org: Org, table: str) -> None:
    found = ran(SWEEP.format(table=table), [org.pk, 10])

    assert_by_index(found, most_rows=10)
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


def test_deliveries_are_looked_up_by_subscriber(org: Org) -> None:
    for subscriber in (make_webhook(org), make_webhook(make_org())):
        for _ in range(50):
            make_delivery(subscriber)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_delivery")

    found = plan("erase_deliveries", org_id=org.pk, batch=10)

    assert {node.get("Index Name") for node in found} >= {"delivery_list_idx"}
    assert_by_index(found, most_rows=60)
