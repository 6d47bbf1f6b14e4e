"""How PostgreSQL looks for what is to be delivered when much is waiting, and more is over."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs.models import Delivery, EventType, Subscriber
from tests.factories import make_org
from tests.jobs.queue.plans import plan

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["claim_deliveries", "claim_mail", "close_deliveries"])
def test_a_look_for_deliveries_reads_one_row_an_addressee_and_what_it_takes(
    name: str,
) -> None:
    org = make_org()
    Subscriber.objects.bulk_create(
        Subscriber(org=org, kind="mail", target="a@example.com", events=EventType.values) for _ in range(1_000)
    )
    addressees = list(Subscriber.objects.order_by("pk")[:5])
    Subscriber.objects.filter(pk__in=[one.pk for one in addressees[:2]]).update(kind="webhook", secret="s")
    Subscriber.objects.filter(pk=addressees[4].pk).update(active=False)
    now = timezone.now()
    about: dict[str, Any] = {"org_id": org.pk, "event": "job.done", "data": {}, "created_at": now}
    Delivery.objects.bulk_create(
        Delivery(subscriber=one, next_at=now + timedelta(days=1 if number % 2 else -1), **about)
        for one in addressees
        for number in range(1_000)
    )
    Delivery.objects.bulk_create(
        Delivery(subscriber=addressees[0], status="delivered", ended_at=now, **about) for _ in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_delivery, jobs_subscriber")
    asked: dict[str, dict[str, Any]] = {
        "claim_deliveries": {"slots": 32, "each": 4, "room": "{}", "seconds": 60.0},
        "claim_mail": {"digest_seconds": 60.0, "most": 100, "seconds": 60.0},
        "close_deliveries": {"batch": 100},
    }

    found = plan(name, **asked[name])

    taken = {"claim_deliveries": 8, "claim_mail": 100, "close_deliveries": 100}[name]
    read = [node for node in found if node.get("Relation Name") == "jobs_delivery" and "Scan" in node["Node Type"]]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    rows = [(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read]
    assert max(rows) <= taken + 10
    changed = Delivery.objects.exclude(attempt=0) | Delivery.objects.filter(status="failed")
    assert changed.count() == taken
