"""What an organisation's own workers are given: their jobs, in their order, within limits; and to no one else."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from jobs.handlers import registry
from jobs.handlers.base import HandlerNotReady
from jobs.models import Attempt, Job, Lease, Ready, Transition, WorkerProcess
from jobs.queue.claim import claim
from jobs.queue.lease import rescue
from orgs.models import ApiKey
from tests.conftest import World
from tests.factories import WORKER as OURS
from tests.factories import api, make_job, make_key
from tests.jobs.api.own import RESIZE, Own, make_external, state
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


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
