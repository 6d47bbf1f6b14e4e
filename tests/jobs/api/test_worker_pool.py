"""Own workers in the pool: seen by their organisation, alive while they call, no peers of ours."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from analytics.queries import pulse
from jobs.metrics.database import vital_signs
from jobs.models import Lease, WorkerProcess
from jobs.queue import sql
from orgs.models import User
from tests.conftest import World
from tests.factories import api, browser
from tests.jobs.api.own import RESIZE, Own, make_external

pytestmark = pytest.mark.django_db


def pool(world: World, person: str = "viewer") -> list[dict[str, Any]]:
    return list(api(getattr(world, person)).get("/api/v1/workers/").json()["items"])


def test_it_is_seen_in_the_pool_of_its_organisation_alone(world: World, own: Own) -> None:
    make_external(world.org)
    own.client.credentials(**own.client._credentials, HTTP_USER_AGENT="sq/0.1.0")
    job = own.one(slots=4)

    (shown,) = pool(world)

    assert (shown["name"], shown["hostname"], shown["status"], shown["late"]) == ("w-1", "w-1", "online", False)
    assert (shown["slots"], shown["queues"], shown["types"]) == (4, ["default"], ["external"])
    assert shown["version"] == "sq/0.1.0"
    assert [one["job_id"] for one in shown["running"]] == [job["job_id"]]
    assert pool(world, "outsider") == []
    own.say(job, "finish")
    assert pool(world)[0]["jobs_processed"] == 1


def test_a_departure_makes_it_offline_and_the_next_claim_online(world: World, own: Own) -> None:
    own.claim()
    assert own.client.post("/api/v1/worker/departure/", {"worker": "w-1"}).status_code == 204
    assert pool(world)[0]["status"] == "offline"

    own.claim()

    assert [(one["status"], one["stopped_at"]) for one in pool(world)] == [("online", None)]


def test_it_serves_its_queue_for_its_organisation_alone(world: World, own: Own) -> None:
    new = {"type": "external", "payload": RESIZE}
    make_external(world.org)
    make_external(world.rival)

    def starts(person: User) -> float | None:
        found: float | None = api(person).post("/api/v1/predict/", new).json()["starts_in_seconds"]
        return found

    assert [one.queue for one in pulse(world.org).unserved] == ["default"]
    assert starts(world.owner) is None

    own.claim("default", slots=5)

    assert pulse(world.org).unserved == []
    assert starts(world.owner) == 0.0
    assert [one.queue for one in pulse(world.rival).unserved] == ["default"]
    assert starts(world.outsider) is None
    python = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    assert api(world.owner).post("/api/v1/predict/", python).json()["starts_in_seconds"] is None


def test_it_is_no_peer_of_ours_and_not_counted_as_one(world: World, own: Own) -> None:
    own.claim()

    assert sql.run("peers", queues=["default"], dead_seconds=15) == []
    assert [metric.samples[0].value for metric in vital_signs() if metric.name.endswith("worker_count")] == [0]
    assert api(world.owner).get("/api/v1/counts/").json()["active_workers"] == 1
    assert api(world.outsider).get("/api/v1/counts/").json()["active_workers"] == 0


def test_it_is_dead_when_it_neither_calls_nor_holds_a_lease(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    WorkerProcess.objects.update(beat_at=Now() - timedelta(minutes=1))

    assert sql.run("declare_dead", dead_seconds=15) == []
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert len(sql.run("declare_dead", dead_seconds=15)) == 1
    Lease.objects.update(expires_at=Now() + timedelta(seconds=9))

    assert own.say(job, "renewal").status_code == 200

    assert [(one["status"], one["stopped_at"]) for one in pool(world)] == [("online", None)]


def test_the_page_shows_it_as_your_own(world: World, own: Own) -> None:
    own.claim()

    assert "your own" in browser(world.viewer).get("/workers/").content.decode().split("<tbody>")[1]
    assert "w-1" not in browser(world.outsider).get("/workers/").content.decode()


def test_names_are_not_rows_without_end(world: World, own: Own) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_workerprocess (id, org_id, kind, hostname, pid, version, slots, queues, types, status,"
            " started_at, beat_at, cpu_percent, memory_bytes, jobs_processed) SELECT gen_random_uuid(), %s, 'worker',"
            " 'x', 0, '', 1, '[]', '[]', 'online', now(), now(), 0, 0, 0 FROM generate_series(1, 1000)",
            [world.org.pk],
        )
    make_external(world.org)

    assert own.one()
    assert WorkerProcess.objects.count() == 1000
