"""What is told of everybody names nobody, and how much it is depends on the code, not on who uses it how."""

import re

import pytest
from django.test import Client

from jobs.models import Attempt, Job
from orgs.models import Org
from tests.analytics.rows import make_process, make_term, roll_up
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_done, make_hour, make_job, make_version
from tests.jobs.metrics.reading import scraped

pytestmark = pytest.mark.django_db(transaction=True)

ORGS = 500
MOST_SERIES = 1_000
# Every label there is; each takes its words from the code.
LABELS = {
    "job_type", "status", "kind", "le",
    # of HTTP and of the process
    "view", "method", "transport", "charset", "type", "generation", "version", "implementation",
    "major", "minor", "patchlevel", "alias", "vendor",
}  # fmt: skip
CANARY = re.compile(r"canary|acme|rival|[0-9a-f]{8}-[0-9a-f]{4}-")


def fill(world: World) -> None:
    """Five hundred organisations that do what there is, each with names of its own."""
    orgs = Org.objects.bulk_create([Org(slug=f"canary-{n}", name=f"Canary {n}") for n in range(ORGS)])
    for n, org in enumerate(orgs):
        make_job(org, queue=f"canary-{n}", title=f"canary {n}")
        make_hour(org)
    for n, org in enumerate(orgs[:40]):
        make_done(org, queue=f"canary-done-{n}")
        make_dead_letter(org, queue=f"canary-dead-{n}")
        make_version(org, 1, active=True)
    # names that programs of theirs make up
    Attempt.objects.update(name="canary_task")
    for n, pk in enumerate(Attempt.objects.order_by("pk").values_list("pk", flat=True)[:30]):
        Attempt.objects.filter(pk=pk).update(type=f"canary-type-{n}")
    for n, pk in enumerate(Job.objects.order_by("pk").values_list("pk", flat=True)[:30]):
        Job.objects.filter(pk=pk).update(type=f"canary-kind-{n}")
    make_process()
    make_term(1)
    roll_up()


def call(world: World) -> None:
    """Addresses and methods that callers make up, beside good ones."""
    client = api(world.owner)
    for path in ("jobs/", "queues/", "summary/", "workers/", "audit/", "alert-rules/", "schedules/"):
        client.get(f"/api/v1/{path}")
    for area in ("", "api/", "api/v1/worker/", "admin/", "static/", "healthz"):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CANARY"):
            client.generic(method, f"/{area}", secure=method == "PUT")
    for n in range(200):
        client.generic(f"CANARY{n}", "/api/v1/jobs/")
        client.get(f"/api/v1/jobs/canary-{n}/")
        Client().get(f"/canary/{n}/", {"canary": n})


def test_five_hundred_organisations_are_fewer_than_a_thousand_series_that_name_nobody(world: World) -> None:
    fill(world)
    call(world)

    series = scraped()

    labels = [pair for _, pairs in series for pair in pairs]
    assert 200 < len(series) < MOST_SERIES
    assert {name for name, _ in labels} <= LABELS
    assert [pair for pair in labels if CANARY.search(pair[1].lower())] == []
