"""The numbers over REST: exact, bounded, and of the caller's organisation alone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.histograms import RELATIVE_ERROR
from jobs.models import DepthSample
from jobs.states import Outcome
from orgs.models import Org
from tests.analytics.rows import make_accuracy, make_process, make_term, roll_up
from tests.conftest import World
from tests.factories import (
    WORKER,
    PastRun,
    api,
    claim_all,
    finish_one,
    make_dead_letter,
    make_done,
    make_job,
    make_runs,
)

pytestmark = pytest.mark.django_db

ENDPOINTS = ("counts", "workers", "leader", "throughput", "depth", "predictions", "summary")
TIMED = ("throughput", "depth", "predictions", "summary")


def get(world: World, what: str, who: str = "viewer", **query: Any) -> Any:
    roll_up()
    response = api(world.people()[who]).get(f"/api/v1/{what}/", query)
    assert response.status_code == 200, response.content
    return response.json()


def sample(org: Org, minutes_ago: float, queue: str = "default", **depths: int) -> None:
    fields = {"queued": 0, "running": 0, "scheduled": 0, **depths}
    DepthSample.objects.create(org_id=org.pk, queue=queue, at=timezone.now() - timedelta(minutes=minutes_ago), **fields)


@pytest.mark.parametrize("what", ENDPOINTS)
@pytest.mark.parametrize("who", ["owner", "operator", "viewer", "outsider"])
def test_every_member_may_read_the_numbers_of_his_organisation(world: World, what: str, who: str) -> None:
    assert api(world.people()[who]).get(f"/api/v1/{what}/").status_code == 200


@pytest.mark.parametrize("what", ENDPOINTS)
def test_the_anonymous_and_people_of_no_organisation_read_nothing(world: World, what: str) -> None:
    assert api().get(f"/api/v1/{what}/").status_code == 401
    assert api(world.loner).get(f"/api/v1/{what}/").status_code == 403


@pytest.mark.parametrize("what", ENDPOINTS)
def test_another_organisation_is_not_there_except_for_platform_admins(world: World, what: str) -> None:
    assert api(world.outsider, world.org).get(f"/api/v1/{what}/").status_code == 404
    assert api(world.platform_admin, world.org).get(f"/api/v1/{what}/").status_code == 200


@pytest.mark.parametrize("what", ENDPOINTS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_numbers_are_only_read(world: World, what: str, method: str) -> None:
    assert getattr(api(world.owner), method)(f"/api/v1/{what}/", {}).status_code == 405


@pytest.mark.parametrize("what", TIMED)
@pytest.mark.parametrize(
    "query",
    [
        "hours=0",
        "hours=721",
        "hours=-1",
        "hours=abc",
        "hours=1.5",
        "hours=",
        "hours=1&hours=2",
        "days=1",
        "hours=9" * 30,
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(world: World, what: str, query: str) -> None:
    response = api(world.viewer).get(f"/api/v1/{what}/?{query}")

    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("application/problem+json")
    assert response.json()["errors"][0]["pointer"] == f"/{query.split('=')[0]}"


@pytest.mark.parametrize("what", TIMED)
@pytest.mark.parametrize("hours", [1, 24, 720])
def test_every_span_from_an_hour_to_thirty_days_is_answered(world: World, what: str, hours: int) -> None:
    make_done(world.org)

    assert get(world, what, hours=hours)


def test_counts_are_exact_for_every_status(world: World) -> None:
    make_done(world.org)
    make_dead_letter(world.org)
    make_job(world.org, delay_seconds=60)
    make_job(world.org)
    claim_all()
    for _ in range(2):
        make_job(world.org)
    make_process()

    assert get(world, "counts") == {
        "total": 6,
        "by_status": {"scheduled": 1, "queued": 2, "running": 1, "done": 1, "failed": 1, "cancelled": 0},
        "active_workers": 1,
        "queue_depth": 2,
        "dead_letters": 1,
    }


def test_no_number_of_another_organisation_leaks(world: World) -> None:
    make_runs(world.rival, [PastRun(5.0), PastRun(7.0, failed=True)])
    make_done(world.rival)
    make_dead_letter(world.rival)
    make_job(world.rival)
    sample(world.rival, 5, queued=9)

    assert get(world, "counts")["total"] == 0
    assert sum(one["done"] + one["failed"] for one in get(world, "throughput")["buckets"]) == 0
    assert get(world, "depth")["buckets"] == []
    predictions = get(world, "predictions")
    assert (predictions["accuracy"], predictions["points"], predictions["over_time"]["buckets"]) == (None, [], [])
    summary = get(world, "summary")
    assert summary["by_type"] == []
    assert summary["measured"]["attempts"] == 0
    assert summary["success_rate"] is None


def test_a_worker_without_a_heartbeat_is_not_active(world: World, settings: Settings) -> None:
    make_process(beat_at=timezone.now() - timedelta(seconds=settings.WORKER_DEAD_SECONDS + 1))
    make_process(id=UUID(int=1), status="offline", stopped_at=timezone.now())
    make_process(id=UUID(int=2), kind="scheduler")

    assert get(world, "counts")["active_workers"] == 0


def test_the_pool_names_ones_own_jobs_and_of_others_only_that_they_run(world: World) -> None:
    make_process()
    ours = make_job(world.org, title="Ours")
    make_job(world.rival, title="Theirs")
    claim_all()

    (worker,) = get(world, "workers")["items"]

    assert worker["name"] == "host-7"
    assert (worker["slots"], worker["cpu_percent"], worker["jobs_processed"]) == (5, 12.6, 3)
    assert worker["beat_age_seconds"] >= 0
    assert not worker["late"]
    assert sorted((one["title"], one["job_id"]) for one in worker["running"] if one["title"]) == [
        ("Ours", str(ours.pk))
    ]
    assert [one["job_id"] for one in worker["running"] if not one["title"]] == [None]
    assert "Theirs" not in str(worker)


def test_the_pool_shows_who_is_late_and_forgets_who_left_long_ago(world: World) -> None:
    now = timezone.now()
    make_process(beat_at=now - timedelta(seconds=60))
    make_process(id=UUID(int=1), status="dead", stopped_at=now - timedelta(minutes=5))
    make_process(id=UUID(int=2), status="offline", stopped_at=now - timedelta(hours=2))

    found = {one["id"]: (one["status"], one["late"]) for one in get(world, "workers")["items"]}

    assert found == {str(WORKER): ("online", True), str(UUID(int=1)): ("dead", False)}


def test_a_large_pool_is_read_page_by_page(world: World) -> None:
    for number in range(5):
        make_process(id=UUID(int=number + 1))

    first = get(world, "workers", limit=3)
    second = get(world, "workers", limit=3, cursor=first["next_cursor"])

    assert [one["id"] for one in first["items"] + second["items"]] == [str(UUID(int=n)) for n in (5, 4, 3, 2, 1)]
    assert second["next_cursor"] is None


def test_without_a_leader_nobody_leads(world: World) -> None:
    assert get(world, "leader")["state"] == "none"


@pytest.mark.parametrize(("age", "state"), [(1, "active"), (14, "active"), (16, "stale")])
def test_the_leader_is_active_until_its_heartbeat_is_late(world: World, age: float, state: str) -> None:
    term = make_term(age)

    found = get(world, "leader")

    assert (found["state"], found["name"], found["epoch"]) == (state, "host-9", term.epoch)
    assert found["since"].endswith("Z")


def test_a_term_that_ended_is_the_last_one_but_nobody_leads(world: World) -> None:
    make_term(1, ended_at=timezone.now())

    found = get(world, "leader")

    assert (found["state"], found["name"]) == ("none", "host-9")
    assert found["ended_at"] is not None


def test_throughput_counts_each_ended_attempt_in_its_interval(world: World) -> None:
    make_runs(world.org, [PastRun(5.0)] * 3 + [PastRun(5.0, failed=True)] * 2)

    found = get(world, "throughput", hours=1)

    assert (found["hours"], found["bucket_seconds"], found["complete"]) == (1, 60, True)
    assert len(found["buckets"]) == 60
    assert sum(one["done"] for one in found["buckets"]) == 3
    assert sum(one["failed"] for one in found["buckets"]) == 2
    assert max(one["done"] + one["failed"] for one in found["buckets"]) <= 2  # they ended a minute apart


def test_throughput_can_be_of_one_queue_or_type(world: World) -> None:
    make_done(world.org)
    make_done(world.org, queue="mail")
    make_runs(world.org, [PastRun(5.0, "http", "call")])

    def done(**query: str) -> int:
        return sum(one["done"] for one in get(world, "throughput", **query)["buckets"])

    assert (done(), done(queue="mail"), done(queue="default"), done(type="http")) == (3, 1, 2, 1)
    assert (done(queue="mail", type="http"), done(queue="nothing-here")) == (0, 0)


def test_throughput_tells_what_came_of_jobs_and_how_long_they_took(world: World) -> None:
    make_dead_letter(world.org)
    make_job(world.org, max_attempts=3)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.ERROR)
    make_runs(world.org, [PastRun(1000.0)])

    buckets = get(world, "throughput", hours=1)["buckets"]

    assert {word: sum(one[word] for one in buckets) for word in ("done", "failed", "retried", "dead", "created")} == {
        "done": 1, "failed": 2, "retried": 1, "dead": 1, "created": 2,
    }  # fmt: skip
    ran = [one for one in buckets if one["run_p50_ms"] is not None]
    assert [one["run_p99_ms"] for one in ran] == [pytest.approx(1000, rel=RELATIVE_ERROR)]
    assert all(one["wait_p95_seconds"] is not None for one in buckets if one["done"] + one["failed"])


@pytest.mark.parametrize("hours", [1, 5, 24, 100, 168, 720])
def test_intervals_cover_the_span_and_are_never_too_many(world: World, hours: int) -> None:
    found = get(world, "throughput", hours=hours)

    assert len(found["buckets"]) <= 60
    assert len(found["buckets"]) * found["bucket_seconds"] >= hours * 3600


def test_depth_is_the_most_at_one_moment_over_all_queues(world: World) -> None:
    at = timezone.now() - timedelta(minutes=10, seconds=1)
    for moment, queue, queued in ((at, "a", 3), (at, "b", 4), (at - timedelta(seconds=1), "a", 5)):
        DepthSample.objects.create(org_id=world.org.pk, queue=queue, at=moment, queued=queued, running=1, scheduled=0)

    found = get(world, "depth", hours=24)

    assert max(one["queued"] for one in found["buckets"]) == 7
    assert max(one["running"] for one in found["buckets"]) == 2


def test_depth_is_zero_after_all_queues_were_found_empty_and_unknown_before(world: World) -> None:
    sample(world.org, 30, queued=4)
    sample(world.org, 20)

    buckets = get(world, "depth", hours=1)["buckets"]

    # known at 30 and 20 minutes ago, nothing was written between, and nothing has changed since the last
    assert [one["queued"] for one in buckets] == [4] + [0] * (len(buckets) - 1)
    assert 20 <= len(buckets) - 1 <= 22


def test_depth_knows_from_before_the_span_that_nothing_waits(world: World) -> None:
    sample(world.org, 300)

    buckets = get(world, "depth", hours=1)["buckets"]

    assert [one["queued"] for one in buckets] == [0] * 60


def test_predictions_are_the_last_runs_with_how_near_they_were(world: World) -> None:
    make_runs(world.org, [PastRun(2000.0), PastRun(1000.0), PastRun(4000.0, failed=True)])

    found = get(world, "predictions")

    assert [one["runtime_ms"] for one in found["points"]] == [4000.0, 1000.0, 2000.0]
    assert found["accuracy"] == {"runs": 2, "mape": 0.5, "mdape": 0.5, "malr": 0.5, "within_2x": 1.0}


def test_how_near_predictions_were_is_summed_by_the_hour_over_all_models(world: World) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    make_accuracy(world.org, hour, model_version=0, runs=10, log2_error=5.0, log2_bias=-5.0, within_2x=9)
    make_accuracy(world.org, hour, model_version=3, runs=30, log2_error=6.0, within_2x=30, ranged=20, in_range=15,
                  risked=20, risk=4.0, failed=5)  # fmt: skip
    make_accuracy(world.org, hour - timedelta(hours=30), runs=7)
    make_accuracy(world.rival, hour, runs=99)

    over_time = get(world, "predictions")["over_time"]

    (bucket,) = over_time["buckets"]
    assert over_time["bucket_seconds"] == 3600
    assert (bucket["runs"], bucket["malr"], bucket["bias"]) == (40, 0.275, -0.125)
    assert (bucket["within_2x"], bucket["coverage"]) == (0.975, 0.75)
    assert (bucket["failures_expected"], bucket["failures"]) == (0.2, 0.25)
    assert [one["runs"] for one in get(world, "predictions", hours=48)["over_time"]["buckets"]] == [7, 40]


def test_the_summary_says_what_ran_waited_and_came_of_it(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0)] * 3 + [PastRun(9000.0, "http", "call", failed=True)])
    make_done(world.org)

    found = get(world, "summary")

    assert found["counts"]["total"] == 1  # past runs were written without their moves
    assert found["measured"]["attempts"] == 5
    assert found["measured"]["complete"] is True
    assert found["attempts_last_hour"] == 5
    assert found["wait_mean_seconds"] >= 0
    python, http = found["by_type"]
    assert (http["type"], http["attempts"], http["done"], http["actual_ms"]) == ("http", 1, 0, None)
    assert (python["type"], python["attempts"], python["success_rate"]) == ("python", 4, 1.0)
    assert python["predicted_ms"] == pytest.approx(2000.0, rel=RELATIVE_ERROR)
    assert python["run_p95_ms"] == pytest.approx(1000.0, rel=RELATIVE_ERROR)
    assert [(one["type"], one["name"], one["attempts"]) for one in found["by_kind"]] == [
        ("python", "demo.add", 4),
        ("http", "call", 1),
    ]
    (queue,) = found["by_queue"]
    assert (queue["queue"], queue["attempts"]) == ("default", 5)
    assert queue["wait_p99_seconds"] >= queue["wait_p50_seconds"]


def test_success_is_of_the_jobs_that_ended(world: World) -> None:
    for _ in range(3):
        make_done(world.org)
    make_dead_letter(world.org)
    make_job(world.org)

    assert get(world, "summary")["success_rate"] == 0.75


def test_a_lost_or_released_attempt_is_no_run_of_which_a_prediction_was_right_or_wrong(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.RELEASED)

    assert get(world, "predictions")["points"] == []


@pytest.mark.parametrize("what", ENDPOINTS)
def test_each_answer_costs_few_queries(world: World, what: str, django_assert_max_num_queries: Any) -> None:
    make_process()
    make_job(world.org)
    claim_all()
    make_runs(world.org, [PastRun(5.0)] * 20)
    client = api(world.viewer)

    with django_assert_max_num_queries(12):
        assert client.get(f"/api/v1/{what}/").status_code == 200
