"""Long polls: they wake, they hold no connection, they are few; and two that pull at once get no job twice."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import Lease, WorkerProcess
from jobs.processes.waiting_room import waiting_room
from jobs.queue.lease import rescue
from orgs.models import ApiKey
from tests.concurrency import Background, at_once
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, make_key
from tests.jobs.api.own import Own, make_external, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def token(world: World) -> Iterator[str]:
    yield make_key(world.owner, world.org)
    # its thread, and the connection of that, end with the last who waits
    eventually(lambda: not waiting_room._watched)


def waiting(count: int = 1) -> None:
    eventually(lambda: len(waiting_room.present()) == count)


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_a_call_that_waits_is_answered_when_a_job_comes(world: World, token: str) -> None:
    call = Background(lambda: Own(token).one(wait_seconds=20))
    waiting()

    job = make_external(world.org)
    began = time.monotonic()
    taken = call.result()

    assert taken["job_id"] == str(job.pk)
    # twice what it looks for, on a machine that others share
    assert time.monotonic() - began < 1.0


def test_jobs_of_others_and_of_other_queues_wake_nobody(world: World, token: str) -> None:
    call = Background(lambda: Own(token).claim(wait_seconds=1.5).status_code)
    waiting()

    make_external(world.rival)
    make_external(world.org, queue="other")

    assert call.result() == 204


def test_a_job_whose_limit_gets_room_wakes(world: World, token: str) -> None:
    api(world.owner).put("/api/v1/limits/key/k/", {"max_running": 1})
    make_external(world.org, limit_key="k")
    second = make_external(world.org, limit_key="k")
    first = Own(token).one()
    call = Background(lambda: Own(token, "w-2").one(wait_seconds=20))
    waiting()

    assert Own(token).say(first, "finish").status_code == 200

    assert call.result()["job_id"] == str(second.pk)


def test_those_who_wait_share_one_connection(world: World, token: str, settings: Settings) -> None:
    settings.WORKER_WAITS = 10
    connection.ensure_connection()
    before = sessions()
    calls = [Background(lambda: Own(token).claim(wait_seconds=2).status_code) for _ in range(10)]
    waiting(10)

    # each closes its own as it begins to wait
    eventually(lambda: sessions() <= before + 1, within_seconds=1.5)

    assert [call.result() for call in calls] == [204] * 10


def test_no_more_wait_than_there_is_room_for(world: World, token: str, settings: Settings) -> None:
    settings.WORKER_WAITS = 1
    call = Background(lambda: Own(token).claim(wait_seconds=2))
    waiting()

    began = time.monotonic()
    refused = Own(token, "w-2").claim(wait_seconds=20)

    assert (refused.status_code, refused["Retry-After"]) == (204, "2")
    assert time.monotonic() - began < 1.0
    assert "Retry-After" not in call.result()
    make_external(world.org)
    assert len(Own(token, "w-2").take(wait_seconds=20)) == 1


def test_a_key_that_is_revoked_while_it_waits_gets_nothing(world: World, token: str) -> None:
    call = Background(lambda: Own(token).claim(wait_seconds=20).status_code)
    waiting()
    ApiKey.objects.update(revoked_at=Now())

    job = make_external(world.org)

    assert call.result() == 204
    assert state(job.pk) == "queued"


def test_who_has_departed_gets_nothing(world: World, token: str) -> None:
    own = Own(token)
    call = Background(lambda: own.claim(wait_seconds=20).status_code)
    waiting()
    gone = {"worker": own.name, "draining": True}
    assert Own(token).client.post("/api/v1/worker/departure/", gone).status_code == 204

    job = make_external(world.org)

    assert call.result() == 204
    assert state(job.pk) == "queued"
    assert WorkerProcess.objects.get().status == "draining"


def test_who_waits_is_alive(world: World, token: str, settings: Settings) -> None:
    settings.HEARTBEAT_SECONDS = 0.2
    call = Background(lambda: Own(token).claim(wait_seconds=4).status_code)
    waiting()
    first = WorkerProcess.objects.get().beat_at

    eventually(lambda: WorkerProcess.objects.get().beat_at > first, within_seconds=4)

    assert call.result() == 204


def test_two_that_pull_at_once_get_no_job_twice(world: World, token: str) -> None:
    for _ in range(5):
        made = {str(make_external(world.org).pk) for _ in range(10)}
        pullers = [Own(token, f"w-{number}") for number in range(4)]

        taken = at_once(*[lambda own=own: own.take(slots=10) for own in pullers])  # type: ignore[misc]

        jobs = [job["job_id"] for jobs in taken for job in jobs]
        assert sorted(jobs) == sorted(made)


def test_a_finish_and_a_rescue_at_once_have_one_winner(world: World, token: str) -> None:
    own = Own(token)
    for _ in range(10):
        make_external(world.org, max_attempts=1)
        job = own.one()
        Lease.objects.update(expires_at=Now())

        answered, rescued = at_once(lambda job=job: own.say(job, "finish"), rescue)  # type: ignore[misc]

        won: Any = (answered.status_code, rescued, state(job["job_id"]))
        assert won in [(200, 0, "done"), (409, 1, "failed")]


def test_one_finish_said_twice_at_once_is_written_once(world: World, token: str) -> None:
    own = Own(token)
    for _ in range(10):
        make_external(world.org)
        job = own.one()

        answers = at_once(*[lambda job=job: own.say(job, "finish", {"result": 1})] * 2)  # type: ignore[misc]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert sorted(answer.json()["repeated"] for answer in answers) == [False, True]
