"""What limits refuse is counted by organisation and day, whatever becomes of the refused."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from pytest_django.fixtures import Settings

from jobs.queue.upkeep import forget_rates
from orgs import limit_hits
from orgs.limit_hits import lately, note
from orgs.models import LimitHit, Org
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, browser
from tests.jobs.api.files import post
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
USAGE = "/api/v1/orgs/acme/usage/"


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    limit_hits.forked()
    yield
    limit_hits.forked()


@pytest.fixture
def org(world: World) -> Org:
    return world.org


def hits(org: Org) -> dict[str, int]:
    limit_hits.add()
    return {one.name: one.hits for one in lately(org)}


def test_it_outlives_the_transaction_that_was_taken_back(org: Org) -> None:
    with transaction.atomic():
        note(org.pk, "schedules")
        transaction.set_rollback(True)

    assert hits(org) == {"schedules": 1}


def test_a_flood_is_counted_in_memory_and_added_by_one_statement(world: World, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for _ in range(1_000):
            note(world.org.pk, "org")
            note(world.rival.pk, "org", 2)
    with django_assert_num_queries(1):
        limit_hits.add()
    with django_assert_num_queries(0):
        limit_hits.add()

    note(world.org.pk, "org")
    assert (hits(world.org), hits(world.rival)) == ({"org": 1_001}, {"org": 2_000})


def test_what_could_not_be_added_stays_counted(org: Org) -> None:
    note(org.pk, "org")
    with patch.object(connection, "cursor", side_effect=OperationalError), pytest.raises(OperationalError):
        limit_hits.add()
    note(org.pk, "org")

    assert hits(org) == {"org": 2}


def test_an_organisation_that_is_gone_keeps_nobody_else_from_being_counted(org: Org) -> None:
    note(org.pk + 1_000, "org")
    note(org.pk, "org")

    assert hits(org) == {"org": 1}
    assert LimitHit.objects.count() == 1


def test_days_are_counted_apart_shown_for_thirty_and_kept_for_ninety(org: Org) -> None:
    for days in (91, 90, 30, 29, 0):
        note(org.pk, "org")
        limit_hits.add()
        newest = LimitHit.objects.order_by("day").last()
        assert newest
        today = newest.day
        LimitHit.objects.filter(pk=newest.pk).update(day=F("day") - timedelta(days=days))

    def ages(found: Iterable[LimitHit]) -> list[int]:
        return [(today - one.day).days for one in found]

    assert ages(lately(org)) == [0, 29]
    assert forget_rates(batch=10) is False
    assert ages(LimitHit.objects.order_by("-day")) == [0, 29, 30, 90]


@pytest.mark.django_db(transaction=True)
def test_a_thread_adds_them_by_itself(org: Org, settings: Settings) -> None:
    settings.LIMIT_HITS_SECONDS = 0.05
    for _ in range(3):
        note(org.pk, "org")

    eventually(lambda: [one.hits for one in lately(org)] == [3], within_seconds=10)
    note(org.pk, "org")
    eventually(lambda: [one.hits for one in lately(org)] == [4], within_seconds=10)


def test_each_refusal_is_counted_under_its_name(world: World, settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    world.org.max_waiting_jobs, world.org.max_schedules = 1, 0
    world.org.save()
    client = api(world.operator)
    client.post("/api/v1/jobs/", JOB)

    assert client.post("/api/v1/jobs/", JOB).status_code == 429
    assert client.post("/api/v1/jobs/bulk/", {"jobs": [JOB] * 3}).json()["refused"] == 3
    schedule = {"name": "a", "cron": "0 5 * * *", "job": JOB}
    assert api(world.owner).post("/api/v1/schedules/", schedule).status_code == 403
    settings.PAYLOAD_MAX_BYTES = 10
    assert client.post("/api/v1/jobs/", JOB).status_code == 400

    assert hits(world.org) == {"waiting_jobs": 4, "schedules": 1, "payload_size": 1}
    assert hits(world.rival) == {}


def test_rates_are_counted_in_the_organisation_that_was_called(world: World, settings: Settings) -> None:
    settings.CALL_RATE = (1, 3_600.0, 1)
    client = api(world.viewer)
    answers = [client.get("/api/v1/jobs/").status_code for _ in range(3)]

    assert answers == [200, 429, 429]
    assert hits(world.org) == {"caller": 2}


def test_files_are_counted(world: World, settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.ARTEFACT_FILE_MAX_BYTES = 10

    assert post(world, b"x" * 20).status_code == 413
    world.org.max_artefact_bytes = 0
    world.org.save()
    assert post(world, b"x" * 5).status_code == 403
    assert hits(world.org) == {"file_size": 1, "artefact_bytes": 1}


def test_the_page_and_the_call_show_them(world: World) -> None:
    assert "Nothing was." in read(browser(world.viewer).get("/usage/")).by_id("limit-hits").text
    note(world.org.pk, "waiting_jobs", 1_234)
    note(world.org.pk, "org")
    note(world.rival.pk, "schedules")
    limit_hits.add()
    day = LimitHit.objects.first().day  # type: ignore[union-attr]

    page = read(browser(world.viewer).get("/usage/"))
    found = api(world.viewer).get(USAGE).json()["limit_hits"]

    assert "1 234" in page.by_id("hits-waiting_jobs").text.replace("\u202f", " ").replace("\xa0", " ").replace(",", " ")
    assert f"{day}" in page.by_id("hits-org").text
    assert not page.all("tr", id="hits-schedules")
    assert found == [
        {"limit": "org", "day": f"{day}", "hits": 1},
        {"limit": "waiting_jobs", "day": f"{day}", "hits": 1_234},
    ]
