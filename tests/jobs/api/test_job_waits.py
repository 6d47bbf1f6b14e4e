"""?wait= of a job: answered when it moves on, without a connection; nobody sees what he no longer may."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from jobs.models import Job
from jobs.processes.waiting_room import JobWaiter, job_room
from jobs.queue.lease import report
from orgs.models import Membership, User
from tests.concurrency import Background
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, claim_all, finish_one, make_done, make_job
from tests.jobs.api.refusals import assert_refused
from tests.jobs.api.test_worker_waits import sessions

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _room_is_left(world: World) -> Iterator[None]:
    yield
    # its thread, and the connection of that, end with the last who waits
    eventually(lambda: not job_room._watched)


def ask(user: User, job: Job, query: str = "?wait=20", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: HttpResponse = api(user).get(f"/api/v1/jobs/{job.pk}/{query}", headers=named)
    return response


def waiting(*calls: Background) -> None:
    """All of them wait, and have looked since."""
    eventually(lambda: len(job_room.present()) == len(calls))
    eventually(lambda: all(waiter.mark and asleep(waiter) for waiter in job_room.present()))


def asleep(waiter: JobWaiter) -> bool:
    """Not on his way to look, after he was woken."""
    event: Any = waiter.woken
    return bool(event._cond._waiters) and not event.is_set()


def test_it_is_answered_when_the_job_ends(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    call = Background(lambda: ask(world.viewer, job))
    waiting(call)

    assert finish_one(claimed, result={"sum": 3})

    answer = call.result()
    assert (answer.status_code, answer.json()["status"], answer.json()["result"]) == (200, "done", {"sum": 3})
    assert answer["Preference-Applied"] == "wait=20"
    assert answer["ETag"] == ask(world.viewer, job, "")["ETag"]


def test_it_is_answered_when_the_job_starts_and_when_it_gets_on(world: World) -> None:
    job = make_job(world.org)
    call = Background(lambda: ask(world.viewer, job))
    waiting(call)
    (claimed,) = claim_all()
    began = call.result()
    assert began.json()["status"] == "running"

    call = Background(lambda: ask(world.viewer, job, If_None_Match=began["ETag"]))
    waiting(call)
    report(progress=[{"token": str(claimed.token), "progress": 0.5, "progress_message": "half"}], lines=[])

    assert call.result().json()["progress_message"] == "half"


@pytest.mark.parametrize(("query", "headers"), [("?wait=1", {}), ("?wait=1s", {}), ("", {"Prefer": "a, wait=1"})])
def test_at_the_end_of_the_time_it_is_answered_as_it_is(world: World, query: str, headers: dict[str, str]) -> None:
    job = make_job(world.org)
    began = time.monotonic()

    answer = ask(world.viewer, job, query, **headers)

    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert answer["Preference-Applied"] == "wait=1"
    assert time.monotonic() - began >= 1
    assert ask(world.viewer, job, query, **headers, If_None_Match=answer["ETag"]).status_code == 304


def test_what_is_over_or_another_version_is_answered_at_once(world: World) -> None:
    done, job = make_done(world.org), make_job(world.org)
    began = time.monotonic()

    assert ask(world.viewer, done).json()["status"] == "done"
    assert ask(world.viewer, job, If_None_Match='"another"').status_code == 200
    assert ask(world.viewer, job, "?wait=0").status_code == 200
    assert ask(world.viewer, job, "", Prefer="respond-async, wait=soon").status_code == 200

    assert time.monotonic() - began < 15


def test_a_renewed_lease_or_another_job_wakes_nobody(world: World) -> None:
    job, other = make_job(world.org), make_job(world.org, queue="other")
    (claimed,) = claim_all()
    call = Background(lambda: ask(world.viewer, job, "?wait=2"))
    waiting(call)

    report(progress=[], lines=[{"token": str(claimed.token), "sequence": 0, "stream": "log", "text": "x",
                                "age_seconds": 0}])  # fmt: skip
    assert claim_all("other")[0].job_id == other.pk

    answer = call.result()
    assert answer.json()["status"] == "running"
    assert answer["ETag"] == ask(world.viewer, job, "")["ETag"]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1m", "１", "9999999", "10&wait=5", "1s1"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(world: World, text: str) -> None:
    assert_refused(ask(world.viewer, make_job(world.org), f"?wait={text}"))


def test_another_parameter_is_refused(world: World) -> None:
    assert_refused(ask(world.viewer, make_job(world.org), "?wiat=1"))


def test_those_who_wait_share_one_connection(world: World, settings: Settings) -> None:
    settings.JOB_WAITS = 10
    job = make_job(world.org)
    ask(world.viewer, job, "")
    before = sessions()
    calls = [Background(lambda: ask(world.viewer, job, "?wait=3").status_code) for _ in range(10)]
    waiting(*calls)

    # each closes its own as it waits
    eventually(lambda: sessions() <= before + 1, within_seconds=2.5)

    assert [call.result() for call in calls] == [200] * 10


def test_no_more_wait_than_there_is_room_for(world: World, settings: Settings) -> None:
    settings.JOB_WAITS = 1
    job = make_job(world.org)
    call = Background(lambda: ask(world.viewer, job))
    waiting(call)

    refused = ask(world.viewer, job)

    assert (refused.status_code, refused["Retry-After"], refused.json()["status"]) == (200, "1", "queued")
    assert "Preference-Applied" not in refused
    assert call.waits
    claim_all()
    assert "Retry-After" not in call.result()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda user: Membership.objects.filter(user=user).delete(), 403),
        (lambda user: User.objects.filter(pk=user.pk).update(is_active=False), 401),
    ],
    ids=["removed", "closed"],
)
def test_who_may_not_see_it_any_more_does_not(world: World, change: Any, status: int) -> None:
    job = make_job(world.org)
    call = Background(lambda: ask(world.viewer, job))
    waiting(call)
    change(world.viewer)

    claim_all()

    assert_refused(call.result(), status)


def test_a_job_that_is_gone_meanwhile_is_not_there(world: World) -> None:
    job = make_job(world.org)
    call = Background(lambda: ask(world.viewer, job))
    waiting(call)

    Job.objects.filter(pk=job.pk).delete()

    assert_refused(call.result(), 404)


def submitted(user: User, query: str = "?wait=20", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: HttpResponse = api(user).post(f"/api/v1/jobs/{query}", ADD, headers=named)
    return response


def test_a_submit_is_answered_when_its_job_has_ended(world: World) -> None:
    call = Background(lambda: submitted(world.operator))
    waiting(call)
    (claimed,) = claim_all()
    # that it runs is not enough
    waiting(call)
    assert call.waits

    assert finish_one(claimed, result={"sum": 3})

    answer = call.result()
    assert (answer.status_code, answer.json()["status"], answer.json()["result"]) == (201, "done", {"sum": 3})
    assert answer["Preference-Applied"] == "wait=20"
    assert answer["Location"] == f"/api/v1/jobs/{claimed.job_id}/"


@pytest.mark.parametrize(("query", "headers"), [("?wait=1", {}), ("", {"Prefer": "wait=1"})])
def test_a_submit_is_answered_at_the_end_of_the_time(world: World, query: str, headers: dict[str, str]) -> None:
    began = time.monotonic()

    answer = submitted(world.operator, query, Idempotency_Key="once", **headers)

    assert (answer.status_code, answer.json()["status"], answer["Preference-Applied"]) == (201, "queued", "wait=1")
    assert time.monotonic() - began >= 1
    again = submitted(world.operator, query, Idempotency_Key="once", **headers)
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])


def test_a_submit_without_room_to_wait_is_stored_all_the_same(world: World, settings: Settings) -> None:
    settings.JOB_WAITS = 0

    answer = submitted(world.operator)

    assert (answer.status_code, answer["Retry-After"]) == (201, "1")
    assert Job.objects.filter(pk=answer.json()["id"]).exists()


def test_a_wait_that_is_no_number_submits_nothing(world: World) -> None:
    assert_refused(submitted(world.operator, "?wait=soon"))

    assert not Job.objects.exists()


def test_who_is_removed_while_he_waits_is_told_that_his_job_is_stored(world: World) -> None:
    call = Background(lambda: submitted(world.operator))
    waiting(call)
    Membership.objects.filter(user=world.operator).delete()

    claim_all()

    answer = call.result()
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
