"""The calls of an organisation's own workers: claim, renew, end, report; and that each fence holds."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from analytics.queries import unserved
from jobs.handlers import registry
from jobs.handlers.base import HandlerNotReady
from jobs.metrics import QueueCollector
from jobs.models import Artefact, Attempt, Job, Lease, LogLine, Ready, Transition, WorkerProcess
from jobs.queue import sql
from jobs.queue.claim import claim
from jobs.queue.lease import rescue
from orgs.models import ApiKey, User
from tests.conftest import World
from tests.factories import WORKER as OURS
from tests.factories import api, browser, make_job
from tests.jobs.api.own import RESIZE, Own, make_external, make_key, state
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(world: World) -> Own:
    return Own(make_key(world.owner, world.org))


def run_out(job: dict[str, Any]) -> None:
    """Its lease ends now, and the watchdog comes by."""
    Lease.objects.filter(job_id=job["job_id"]).update(expires_at=Now() - timedelta(seconds=1))
    assert rescue() == 1


# --- Claims ---------------------------------------------------------------------------------------------------------


def test_a_claim_brings_what_the_worker_needs(world: World, own: Own) -> None:
    job = make_external(world.org, timeout_seconds=60, max_attempts=2)
    Job.objects.update(correlation_id="corr-7")

    (taken,) = own.take(lease_seconds=20)

    lease = Lease.objects.get(pk=job.pk)
    assert taken == {
        "lease": taken["lease"],
        "job_id": str(job.pk),
        "attempt": 1,
        "queue": "default",
        "name": "resize",
        "payload": RESIZE,
        "timeout_seconds": 60,
        "max_attempts": 2,
        "correlation_id": "corr-7",
        "lease_expires_at": f"{lease.expires_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "deadline_at": f"{lease.deadline_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    assert lease.expires_at - lease.leased_at == timedelta(seconds=20)
    assert lease.deadline_at is not None
    assert lease.deadline_at - lease.leased_at == timedelta(seconds=60)
    assert (lease.org_id, lease.worker_name) == (world.org.pk, "w-1")
    assert state(job.pk) == "running"
    assert Transition.objects.get(job_id=job.pk, to_status="running").actor == "worker:w-1"


def test_nothing_there_is_204_and_no_job_comes_twice(world: World, own: Own) -> None:
    assert own.claim().status_code == 204
    make_external(world.org)

    assert len(own.take(slots=20)) == 1
    assert own.claim(slots=20).status_code == 204


def test_only_external_jobs_of_the_organisation_are_claimed(world: World, own: Own) -> None:
    make_job(world.org)
    make_external(world.rival)

    assert own.take(slots=20) == []
    assert Ready.objects.count() == 2


def test_queues_are_asked_in_order_and_only_those(world: World, own: Own) -> None:
    there = {name: str(make_external(world.org, queue=name).pk) for name in ("a", "b", "c")}

    assert [job["job_id"] for job in own.take("b", "a", slots=20)] == [there["b"], there["a"]]


def test_the_best_rank_comes_first(world: World, own: Own) -> None:
    low, high = make_external(world.org, urgency="low"), make_external(world.org, urgency="high")

    assert [own.one()["job_id"], own.one()["job_id"]] == [str(high.pk), str(low.pk)]


def test_a_paused_queue_gives_nothing_and_goes_on(world: World, own: Own) -> None:
    make_external(world.org)
    pause = "/api/v1/queues/default/pause/"
    assert api(world.owner).post(pause, {}).status_code == 200
    assert own.take() == []
    Ready.objects.update(held=False)  # not marked yet
    assert own.take() == []

    assert api(world.owner).delete(pause).status_code == 200

    assert len(own.take()) == 1


def test_limits_hold_by_key_and_by_type(world: World, own: Own) -> None:
    assert api(world.owner).put("/api/v1/limits/key/gpu/", {"max_running": 1}).status_code == 201
    jobs = [make_external(world.org, limit_key="gpu") for _ in range(3)]
    other = make_external(world.org)

    taken = own.take(slots=20)

    assert sorted(job["job_id"] for job in taken) == sorted([str(jobs[0].pk), str(other.pk)])
    assert own.take(slots=20) == []
    first = next(job for job in taken if job["job_id"] == str(jobs[0].pk))
    assert own.say(first, "finish").status_code == 200
    assert own.one()["job_id"] == str(jobs[1].pk)


def test_limited_jobs_of_other_organisations_are_passed_over(world: World, own: Own) -> None:
    for person, org in ((world.owner, world.org), (world.outsider, world.rival)):
        assert api(person).put("/api/v1/limits/type/external/", {"max_running": 1}).status_code == 201
        make_external(org, limit_key="")
        make_external(org, limit_key="k")
    rival = Own(make_key(world.outsider, world.rival))

    assert [len(own.take(slots=9)), len(rival.take(slots=9)), len(own.take(slots=9))] == [1, 1, 0]
    assert Lease.objects.filter(org_id=world.org.pk).count() == 1


def test_limited_jobs_have_no_more_than_their_turn(world: World, own: Own) -> None:
    assert api(world.owner).put("/api/v1/limits/key/k/", {"max_running": 9}).status_code == 201
    order = [make_external(world.org, limit_key="k" if number % 2 else "") for number in range(4)]

    assert [own.one()["job_id"] for _ in order] == [str(job.pk) for job in order]


def test_many_full_keys_hide_no_free_one(world: World, own: Own) -> None:
    assert api(world.owner).put("/api/v1/limits/key/*/", {"max_running": 0}).status_code == 201
    assert api(world.owner).put("/api/v1/limits/key/zzz/", {"max_running": 1}).status_code == 201
    for number in range(320):
        make_external(world.org, limit_key=f"k{number:03}")
    last = make_external(world.org, limit_key="zzz")

    assert own.one()["job_id"] == str(last.pk)


def test_our_workers_never_take_one(world: World) -> None:
    make_external(world.org)

    assert "external" not in registry.performed()
    assert claim(queue="default", types=registry.performed(), slots=9, worker_id=OURS, worker_name="w") == []
    with pytest.raises(HandlerNotReady):
        registry.prepare(["external"])


def test_what_was_leased_in_a_lost_answer_is_given_back(world: World, own: Own) -> None:
    make_external(world.org)
    make_external(world.org)
    first, lost = own.one(holding=[]), own.one()

    again = own.one(holding=[first["lease"]])

    assert WorkerProcess.objects.get().slots == 2
    assert (again["job_id"], again["attempt"]) == (lost["job_id"], 2)
    assert Job.objects.get(pk=lost["job_id"]).attempt_limit == Job.objects.get(pk=first["job_id"]).attempt_limit + 1
    assert state(first["job_id"]) == "running"


def test_what_has_run_out_is_not_given_back_but_counted(world: World, own: Own) -> None:
    made = make_external(world.org, max_attempts=1)
    own.one()
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert own.take(holding=[]) == []

    assert rescue() == 1
    assert (state(made.pk), Attempt.objects.get().outcome) == ("failed", "lost")


def test_leases_of_another_worker_are_not_given_back(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    other = Own(make_key(world.owner, world.org), "w-2")

    assert other.take(holding=[]) == []
    assert own.say(job, "renewal").status_code == 200


# --- Leases ---------------------------------------------------------------------------------------------------------


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


# --- Reports --------------------------------------------------------------------------------------------------------


def lines() -> list[tuple[int, str, str]]:
    return list(LogLine.objects.order_by("sequence").values_list("sequence", "stream", "text"))


def test_lines_follow_each_other_and_are_seen_on_the_job(world: World, own: Own) -> None:
    made = make_external(world.org)
    job = own.one()

    assert own.say(job, "log", {"lines": [{"text": "one"}, {"text": "two", "stream": "stderr"}]}).json() == {"last": 2}
    assert own.say(job, "log", {"lines": [{"text": "three\nfour"}]}).json() == {"last": 4}

    assert lines() == [(1, "log", "one"), (2, "stderr", "two"), (3, "log", "three"), (4, "log", "four")]
    seen = api(world.viewer).get(f"/api/v1/jobs/{made.pk}/logs/").json()["items"]
    assert [line["text"] for line in seen] == ["one", "two", "three", "four"]


def test_numbered_lines_are_kept_once(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    sent = {"first": 1, "lines": [{"text": "one"}, {"text": "two"}]}
    assert own.say(job, "log", sent).json() == {"last": 2}

    assert own.say(job, "log", sent).json() == {"last": 2}
    assert own.say(job, "log", {"first": 3, "lines": [{"text": "three"}]}).json() == {"last": 3}

    assert [text for _, _, text in lines()] == ["one", "two", "three"]


def test_progress_is_seen_on_the_job(world: World, own: Own) -> None:
    made = make_external(world.org)
    own.say(own.one(), "log", {"progress": 0.25, "message": "a quarter"})

    shown = api(world.viewer).get(f"/api/v1/jobs/{made.pk}/").json()

    assert (shown["progress"], shown["progress_message"]) == (0.25, "a quarter")


def test_lines_beyond_the_limit_are_dropped_with_a_word(world: World, own: Own, settings: Settings) -> None:
    settings.LOG_MAX_LINES, settings.LOG_LINE_MAX_CHARACTERS = 3, 80
    make_external(world.org)
    job = own.one()

    own.say(job, "log", {"lines": [{"text": "x" * 100}, {"text": "2"}]})
    own.say(job, "log", {"lines": [{"text": "3"}, {"text": "4"}]})

    assert [text for _, _, text in lines()] == ["x" * 80, "2", "… more than 3 lines; the rest is dropped."]


@pytest.fixture
def files(settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.mark.usefixtures("files")
def test_a_file_is_kept_as_it_is(world: World, own: Own) -> None:
    made = make_external(world.org)
    data = bytes(range(256)) * 10

    response = own.upload(own.one(), "cat.png", data, "image/png")

    assert response.status_code == 201
    assert response.json()["size_bytes"] == len(data)
    kept = Artefact.objects.get()
    assert (kept.job_id, kept.attempt, kept.name, kept.content_type) == (made.pk, 1, "cat.png", "image/png")
    with default_storage.open(str(kept.file.name)) as stored:
        assert stored.read() == data


@pytest.mark.usefixtures("files")
def test_a_file_sent_twice_is_kept_once_and_another_of_its_name_refused(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    first = own.upload(job, "a.txt", b"one")

    again, other = own.upload(job, "a.txt", b"one"), own.upload(job, "a.txt", b"two")

    assert (again.status_code, again.json()) == (200, first.json())
    assert assert_refused(other, 409)["type"] == "urn:smartqueue:problem:name_taken"
    assert Artefact.objects.count() == 1


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("name", "data", "status"),
    [("../etc/passwd", b"x", 400), ("", b"x", 400), ("a%00b", b"x", 400), ("big", b"x" * 11, 413),
     ("ok", b"x" * 10, 201)],
)  # fmt: skip
def test_files_have_a_plain_name_and_a_bound(
    world: World, own: Own, settings: Settings, name: str, data: bytes, status: int
) -> None:
    settings.ARTEFACT_MAX_BYTES = 10
    make_external(world.org)

    assert own.upload(own.one(), name, data).status_code == status


# --- Keys -----------------------------------------------------------------------------------------------------------


def test_a_revoked_key_opens_nothing_from_the_next_call_on(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    key = ApiKey.objects.get()
    assert api(world.owner).delete(f"/api/v1/worker-keys/{key.prefix}/").status_code == 204

    assert_refused(own.claim(), 401)
    assert_refused(own.say(job, "finish"), 401)

    assert state(job["job_id"]) == "running"


def test_an_expired_key_opens_nothing(world: World, own: Own) -> None:
    ApiKey.objects.update(expires_at=Now() + timedelta(seconds=60))
    assert own.claim().status_code == 204
    ApiKey.objects.update(expires_at=Now())

    assert_refused(own.claim(), 401)


def test_the_use_of_a_key_is_noted_now_and_then(world: World, own: Own) -> None:
    own.claim()
    first = ApiKey.objects.get().last_used_at
    own.claim()
    assert first is not None
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=Now() - timedelta(minutes=2))

    own.claim()

    assert ApiKey.objects.filter(last_used_at__gt=Now() - timedelta(seconds=30)).exists()


# --- The pool -------------------------------------------------------------------------------------------------------


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

    assert [one.queue for one in unserved(world.org)] == ["default"]
    assert starts(world.owner) is None

    own.claim("default", slots=5)

    assert unserved(world.org) == []
    assert starts(world.owner) == 0.0
    assert [one.queue for one in unserved(world.rival)] == ["default"]
    assert starts(world.outsider) is None
    python = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    assert api(world.owner).post("/api/v1/predict/", python).json()["starts_in_seconds"] is None


def test_it_is_no_peer_of_ours_and_not_counted_as_one(world: World, own: Own) -> None:
    own.claim()

    assert sql.run("peers", queues=["default"], dead_seconds=15) == []
    assert [
        metric.samples[0].value for metric in QueueCollector().collect() if metric.name.endswith("worker_count")
    ] == [0]
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


def test_a_body_is_read_strictly(world: World, own: Own) -> None:
    for asked in (
        {},
        {"worker": "w", "queues": []},
        {"worker": "w", "queues": ["UPPER"]},
        {"worker": "w x", "queues": ["a"]},
        {"worker": "w", "queues": ["a"] * 21},
        {"worker": "w", "queues": ["a"], "slots": 0},
        {"worker": "w", "queues": ["a"], "slots": 21},
        {"worker": "w", "queues": ["a"], "slots": "1"},
        {"worker": "w", "queues": ["a"], "wait_seconds": 21},
        {"worker": "w", "queues": ["a"], "lease_seconds": 1},
        {"worker": "w", "queues": ["a"], "lease_seconds": 301},
        {"worker": "w", "queues": ["a"], "holding": "x"},
        {"worker": "w", "queues": ["a"], "org": "rival"},
    ):
        assert_refused(own.client.generic("POST", "/api/v1/worker/claims/", json.dumps(asked), "application/json"))
    make_external(world.org)
    job = own.one()
    for word, body in (
        ("finish", {"result": 1, "x": 1}), ("failure", {}), ("failure", {"error": 1}),
        ("failure", {"error": "x", "retry_after_seconds": -1}), ("failure", {"error": "x", "permanent": "no"}),
        ("log", {"lines": [{"text": 1}]}), ("log", {"lines": [{"stream": "stdin", "text": "x"}]}),
        ("log", {"lines": [{"text": "x"}] * 1001}), ("log", {"first": 0}), ("log", {"progress": 2}),
        ("release", {"x": 1}), ("renewal", {"lease_seconds": 301}),
    ):  # fmt: skip
        assert_refused(own.say(job, word, body))
    assert state(job["job_id"]) == "running"
