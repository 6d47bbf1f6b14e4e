"""HTTP metrics move with each request, and what a caller makes up makes no series."""

import pytest
from django.test import Client

from tests.conftest import World
from tests.factories import api
from tests.jobs.metrics.reading import Series, parsed

pytestmark = pytest.mark.django_db

BY_STATUS = "django_http_responses_total_by_status_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method_count"


def http() -> Series:
    return parsed(Client().get("/metrics").content.decode())


def more(before: Series, after: Series, name: str, **labels: str) -> float:
    key = (name, frozenset(labels.items()))
    return after.get(key, 0.0) - before.get(key, 0.0)


def test_each_answer_is_counted_and_timed_by_its_part_of_the_addresses(world: World) -> None:
    before = http()
    assert api(world.owner).get("/api/v1/queues/").status_code == 200
    assert Client().get("/sign-in/").status_code == 200
    assert Client().get("/nothing-here/").status_code == 404
    after = http()

    assert more(before, after, BY_STATUS, status="404") == 1
    assert more(before, after, LATENCY, view="api", method="GET") == 1
    assert more(before, after, LATENCY, view="pages", method="GET") == 2


def test_a_method_that_somebody_makes_up_is_counted_as_such(world: World) -> None:
    before = http()
    for n in range(3):
        Client().generic(f"MADEUP{n}", "/sign-in/")
    after = http()

    assert more(before, after, LATENCY, view="pages", method="other") == 3
    assert [key for key in after if "MADEUP" in str(key) or "templatename" in str(key)] == []
