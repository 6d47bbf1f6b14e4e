"""Leases of own workers: renewed, ended once, lost; and that each fence holds."""

from datetime import timedelta

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from jobs.models import Artefact, Attempt, Job, Lease, LogLine, Transition
from jobs.queue.lease import rescue
from tests.conftest import World
from tests.factories import api, make_key
from tests.jobs.api.own import Own, make_external, run_out, state
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


def test_a_renewal_extends_the_lease_up_to_the_deadline(world: World, own: Own) -> None:
    make_external(world.org, timeout_seconds=40)
    job = own.one(lease_seconds=5)

    response = own.say(job, "renewal", {"lease_seconds": 20})

    lease = Lease.objects.get()
    assert response.status_code == 200
    assert timedelta(seconds=19) < lease.expires_at - lease.leased_at < timedelta(seconds=25)
    assert response.json()["cancel_requested"] is False
    own.say(job, "renewal", {"lease_seconds": 300})
    lease.refresh_from_db()
    assert lease.expires_at == lease.deadline_at
    assert response.json()["deadline_at"] == job["deadline_at"]


def test_a_lease_longer_than_the_timeout_ends_with_it(world: World, own: Own) -> None:
    make_external(world.org, timeout_seconds=5)

    job = own.one(lease_seconds=300)

    assert job["lease_expires_at"] == job["deadline_at"]


def test_when_its_time_is_up_it_ends_as_timeout_and_is_tried_again(world: World, own: Own) -> None:
    made = make_external(world.org, timeout_seconds=5, max_attempts=2)
    job = own.one()
    ago = timedelta(seconds=6)
    Lease.objects.update(
        leased_at=F("leased_at") - ago, expires_at=F("expires_at") - ago, deadline_at=F("deadline_at") - ago
    )
    Lease.objects.update(expires_at=F("deadline_at"))

    assert_refused(own.say(job, "renewal"), 409)
    assert rescue() == 1

    attempt = Attempt.objects.get(job_id=made.pk)
    assert (attempt.outcome, attempt.error_type) == ("timeout", "Timeout")
    assert attempt.error == "Ran longer than its timeout of 5 s."
    assert state(made.pk) == "scheduled"


def test_a_lease_that_is_not_renewed_is_lost_and_the_job_retaken(world: World, own: Own) -> None:
    made = make_external(world.org)
    job = own.one()
    run_out(job)

    attempt = Attempt.objects.get(job_id=made.pk)
    assert (attempt.outcome, attempt.error_type) == ("lost", "LeaseLost")
    assert own.one()["attempt"] == 2


def test_done_with_a_result(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()

    response = own.say(job, "finish", {"result": {"width": 320, "ok": [True, None, "ü"]}})

    assert response.status_code == 200
    assert response.json() == {
        "job_id": job["job_id"],
        "attempt": 1,
        "outcome": "done",
        "status": "done",
        "repeated": False,
    }
    stored = Job.objects.get(pk=job["job_id"])
    assert (stored.status, stored.result) == ("done", {"width": 320, "ok": [True, None, "ü"]})
    assert Attempt.objects.get().worker_name == "w-1"


def test_a_failure_is_tried_again_by_its_wish_or_the_backoff(world: World, own: Own) -> None:
    made = make_external(world.org, max_attempts=3)
    job = own.one()

    response = own.say(job, "failure", {"error_type": "NoGpu", "error": "busy", "retry_after_seconds": 600})

    assert response.json()["status"] == "scheduled"
    made.refresh_from_db()
    assert made.run_at is not None
    assert made.finished_at is None
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.error_type, attempt.error) == ("error", "NoGpu", "busy")
    assert timedelta(seconds=599) < made.run_at - attempt.ended_at < timedelta(seconds=601)


def test_a_permanent_failure_is_a_dead_letter(world: World, own: Own) -> None:
    make_external(world.org, max_attempts=3)

    response = own.say(own.one(), "failure", {"error": "never", "permanent": True})

    assert (response.json()["status"], Job.objects.get().error) == ("failed", "never")


def test_the_last_try_that_fails_is_a_dead_letter(world: World, own: Own) -> None:
    make_external(world.org, max_attempts=1)

    assert own.say(own.one(), "failure", {"error": "x"}).json()["status"] == "failed"


def test_a_release_burns_no_try(world: World, own: Own) -> None:
    made = make_external(world.org, max_attempts=1)

    response = own.say(own.one(), "release")

    assert (response.json()["outcome"], response.json()["status"]) == ("released", "queued")
    again = own.one()
    assert (again["job_id"], again["attempt"]) == (str(made.pk), 2)
    assert own.say(again, "finish").json()["status"] == "done"


def test_a_cancellation_is_seen_at_renewal_and_a_release_then_cancels(world: World, own: Own) -> None:
    made = make_external(world.org)
    job = own.one()
    assert api(world.operator).post(f"/api/v1/jobs/{made.pk}/cancellation/", {}).status_code == 202

    assert own.say(job, "renewal").json()["cancel_requested"] is True
    response = own.say(job, "release")

    assert (response.json()["outcome"], response.json()["status"]) == ("cancelled", "cancelled")
    assert own.say(job, "release").json()["repeated"] is True


@pytest.mark.parametrize("word", ["finish", "failure", "release"])
def test_an_end_said_twice_is_answered_alike(world: World, own: Own, word: str) -> None:
    make_external(world.org, max_attempts=3)
    job = own.one()
    body = {"error": "x"} if word == "failure" else {}
    first = own.say(job, word, body).json()
    moves = Transition.objects.count()

    again = own.say(job, word, body)

    assert again.status_code == 200
    assert again.json() == {**first, "repeated": True}
    assert Transition.objects.count() == moves


def test_another_end_after_the_first_is_refused(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    own.say(job, "finish", {"result": 1})

    for word, body in (("failure", {"error": "x"}), ("release", {}), ("renewal", {})):
        assert assert_refused(own.say(job, word, body), 409)["type"] == "urn:smartqueue:problem:lease_lost"

    assert Job.objects.get().result == 1


def test_a_lost_lease_changes_nothing_and_is_noted(world: World, own: Own) -> None:
    made = make_external(world.org)
    late = own.one()
    run_out(late)
    new = Own(make_key(world.owner, world.org), "w-2")
    current = new.one()

    for word, body in (
        ("renewal", {}),
        ("finish", {"result": "late"}),
        ("failure", {"error": "late"}),
        ("release", {}),
        ("log", {"lines": [{"text": "late"}], "progress": 0.9}),
    ):
        assert_refused(own.say(late, word, body), 409)
    assert_refused(own.upload(late, "late.txt", b"x"), 409)

    assert state(made.pk) == "running"
    assert not LogLine.objects.exists()
    assert not Artefact.objects.exists()
    assert Lease.objects.get().progress is None
    assert Attempt.objects.get(number=1).fenced_at is not None
    assert new.say(current, "finish", {"result": "new"}).status_code == 200
    assert_refused(own.say(late, "finish", {"result": "late"}), 409)
    assert Job.objects.get().result == "new"


def test_leases_of_others_and_made_up_ones_are_not_there(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    rival = Own(make_key(world.outsider, world.rival))
    turned = job["lease"][:-1] + ("A" if job["lease"][-1] != "A" else "B")

    answers = [
        assert_refused(caller.say({"lease": lease}, word, {"error": "x"} if word == "failure" else {}), 404)
        for caller, lease in (
            (rival, job["lease"]), (own, turned), (own, "x"), (own, "ü"), (own, job["lease"] + "AAAA"),
            (own, job["job_id"]),
        )
        for word in ("renewal", "finish", "failure", "release", "log")
    ]  # fmt: skip

    assert {(one["type"], one["detail"]) for one in answers} == {
        ("urn:smartqueue:problem:not_found", "There is no such lease.")
    }
    assert_refused(rival.upload(job, "a", b"x"), 404)
    assert_refused(rival.claim(holding=[job["lease"]]), 404)
    assert state(job["job_id"]) == "running"


def test_a_result_that_is_too_large_is_refused_and_the_lease_kept(world: World, own: Own, settings: Settings) -> None:
    settings.RESULT_MAX_BYTES = 100
    make_external(world.org)
    job = own.one()

    problem = assert_refused(own.say(job, "finish", {"result": "x" * 200}), 400)

    assert problem["errors"][0]["pointer"] == "/result"
    assert own.say(job, "finish", {"result": "x"}).status_code == 200
