"""Limits: no more jobs at a time, and no more starts in a time, than an organisation has said; and no fewer."""

import threading
from collections import defaultdict
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now

from jobs.models import EVERY, Attempt, Job, Lease, Limit, LimitBucket, LimitScope, Ready
from jobs.queue.claim import Ask, Claimed
from jobs.queue.control import cancel, keep_held, pause, resume
from jobs.queue.enqueue import enqueue_many
from jobs.queue.lease import rescue
from jobs.queue.limits import RUNS, Walk, claim_limited, limited_waiting
from jobs.states import Outcome
from orgs.models import Org
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import WORKER, claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import new_job, scope_of
from tests.jobs.queue.whole import assert_whole, lapse_leases, path_of

pytestmark = pytest.mark.django_db

TYPES = ("http", "python", "shell")
SHELL = {"type": "shell", "payload": {"argv": ["/bin/echo", "hi"]}}
MINUTE = timedelta(minutes=1)
OFTEN = {"rate_count": 1, "rate_seconds": 3600.0, "burst": 1}


def limit(org: Org, scope: str, name: str = EVERY, **fields: Any) -> Limit:
    return Limit.objects.create(org=org, scope=scope, name=name, **fields)


def take(slots: int = 100, *, queue: str = "default", walk: Walk | None = None, worker: UUID = WORKER) -> list[Claimed]:
    return claim_limited(Ask(queue, TYPES, slots, worker, "tester-1"), walk or Walk())


def many(org: Org, jobs: int, **fields: Any) -> list[UUID]:
    outcomes = enqueue_many([new_job(**fields) for _ in range(jobs)], org=org, user=None)
    return [outcome.job_id for outcome in outcomes]  # type: ignore[union-attr]


def keys_of(claims: list[Claimed]) -> list[str]:
    keys = dict(Job.objects.values_list("pk", "limit_key"))
    return sorted(keys[one.job_id] for one in claims)


# --- How many at a time -----------------------------------------------------------------------------------------


def test_no_more_of_a_key_run_at_once_than_its_limit(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=2)
    many(world.org, 5, limit_key="k")

    first, second = take(), take()

    assert (len(first), second) == (2, [])
    assert finish_one(first[0])
    assert len(take()) == 1
    assert_whole()


def test_a_job_that_no_limit_is_about_waits_among_those_without(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    limit(world.org, LimitScope.QUEUE, "mail", max_running=1)
    limit(world.org, LimitScope.TYPE, "http", max_running=1)
    free = {*many(world.org, 1, limit_key="other"), *many(world.org, 1), *many(world.rival, 1, limit_key="k")}
    many(world.org, 1, limit_key="k")
    many(world.org, 1, queue="mail")

    assert set(Ready.objects.filter(limit_key=None).values_list("job_id", flat=True)) == free
    assert {one.job_id for one in claim_all()} == free


@pytest.mark.parametrize(
    ("scope", "name", "first", "second", "free"),
    [
        (LimitScope.ORG, EVERY, {}, {**SHELL, "limit_key": "k"}, None),
        (LimitScope.TYPE, "python", {}, {"limit_key": "k"}, SHELL),
        (LimitScope.QUEUE, "default", {}, SHELL, {"queue": "other"}),
        (LimitScope.KEY, "k", {"limit_key": "k"}, {**SHELL, "limit_key": "k"}, {"limit_key": "l"}),
    ],
    ids=["org", "type", "queue", "key"],
)
def test_a_limit_is_shared_by_all_jobs_it_is_about_and_by_no_other(
    world: World, scope: str, name: str, first: dict[str, Any], second: dict[str, Any], free: dict[str, Any] | None
) -> None:
    limit(world.org, scope, name, max_running=1)
    make_job(world.org, **first)
    make_job(world.org, **second)
    others = [make_job(world.org, **free)] if free else []

    (only,) = take()

    assert take() == []
    assert len(claim_all(queue="other") + claim_all()) == len(others)
    finish_one(only)
    assert len(take()) == 1


def test_a_limit_of_a_key_counts_over_queues_and_types(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    make_job(world.org, limit_key="k", queue="a")
    make_job(world.org, limit_key="k", queue="b", **SHELL)

    assert [len(take(queue=queue)) for queue in ("a", "b")] == [1, 0]


def test_each_key_has_the_limit_of_every_key_unless_it_has_its_own(world: World) -> None:
    limit(world.org, LimitScope.KEY, max_running=1)
    limit(world.org, LimitScope.KEY, "big", max_running=3)
    for key in ("a", "b", "big", ""):
        many(world.org, 5, limit_key=key)

    assert keys_of(take()) == ["a", "b", "big", "big", "big"]
    assert take() == []
    assert len(claim_all()) == 5  # without a key


def test_all_limits_of_a_job_hold_together(world: World) -> None:
    limit(world.org, LimitScope.ORG, max_running=5)
    limit(world.org, LimitScope.TYPE, "python", max_running=3)
    limit(world.org, LimitScope.KEY, max_running=2)
    for key in ("a", "b", "c"):
        many(world.org, 4, limit_key=key)
    many(world.org, 4, **SHELL)

    claims = take()

    assert sorted(one.type for one in claims) == ["python"] * 3 + ["shell"] * 2
    assert keys_of(claims) == ["", "", "a", "a", "b"]
    assert take() == []


def test_a_limit_of_nothing_stops_a_key(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=0)
    make_job(world.org, limit_key="k")

    assert take() == []
    Limit.objects.update(max_running=1)
    assert len(take()) == 1


def test_jobs_that_were_claimed_before_a_limit_was_set_count_too(world: World) -> None:
    many(world.org, 1, limit_key="k")
    (early,) = claim_all()
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    many(world.org, 1, limit_key="k")

    assert take() == []
    finish_one(early)
    assert len(take()) == 1


def test_a_lost_lease_frees_its_place_when_it_is_taken_back(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    lost, _ = many(world.org, 2, limit_key="k")
    (claimed,) = take()
    lapse_leases()
    assert take() == []  # it may still be running, until the watchdog says otherwise

    assert rescue() == 1

    assert Ready.objects.get(job_id=lost).limit_key == "k"
    (again,) = take()
    assert not finish_one(claimed)
    assert finish_one(again)
    assert_whole()


def test_a_retry_and_a_promotion_come_back_under_their_limit(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    many(world.org, 2, limit_key="k")
    (claimed,) = take()
    finish_one(claimed, Outcome.RELEASED)

    assert len(take()) == 1
    assert set(Ready.objects.values_list("limit_key", flat=True)) == {"k"}


# --- Order and turns --------------------------------------------------------------------------------------------


def test_limited_jobs_are_taken_by_rank_and_only_in_their_turn_among_the_others(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=10)
    free, limited = many(world.org, 4), many(world.org, 4, limit_key="k")
    for rank, pair in enumerate(zip(free, limited, strict=True)):
        for half, job_id in enumerate(pair):
            Ready.objects.filter(job_id=job_id).update(rank=rank + half / 2)

    first = [one.job_id for one in take(4)]
    rest = [one.job_id for one in claim_all(slots=4 - len(first))]

    assert (first, rest) == (limited[:2], free[:2])


def test_a_full_key_is_passed_in_one_step_however_many_wait_behind_it(world: World) -> None:
    limit(world.org, LimitScope.KEY, max_running=1)
    many(world.org, 300, limit_key="a")
    (late,) = many(world.org, 1, limit_key="b")
    assert len(take(1)) == 1

    assert [one.job_id for one in take(1)] == [late]


def test_more_runs_than_one_claim_looks_at_all_get_their_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.queue.limits.RUNS", 9)
    limit(world.org, LimitScope.KEY, max_running=1)
    for number in range(10):
        many(world.org, 2, limit_key=f"key-{number}")
    walk, turns = Walk(), []

    for _ in range(5):
        turns.append(keys_of(take(walk=walk)))
        more = walk.again_seconds == 0.0

    assert [len(turn) for turn in turns] == [3, 3, 3, 1, 0]
    assert more
    assert RUNS >= 100


def test_an_organisation_at_its_limit_hides_no_other_behind_its_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.queue.limits.RUNS", 9)
    limit(world.org, LimitScope.ORG, max_running=1)
    limit(world.rival, LimitScope.ORG, max_running=1)
    for number in range(20):
        many(world.org, 1, limit_key=f"key-{number}")
    assert len(take(1)) == 1
    (theirs,) = many(world.rival, 1)

    assert [one.job_id for one in take(1)] == [theirs]


def test_a_paused_queue_gives_no_limited_job_away(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=9)
    limit(world.rival, LimitScope.KEY, "k", max_running=9)
    many(world.org, 2, limit_key="k")
    (theirs,) = many(world.rival, 1, limit_key="k")
    pause("default", scope=scope_of(world))
    unmarked = take()
    assert keep_held() == 2
    held = take()
    resume("default", scope=scope_of(world))

    assert [one.job_id for one in unmarked] == [theirs]
    assert held == []
    assert len(take()) == 2


def test_a_limited_job_can_be_cancelled_while_it_waits(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    first, second = many(world.org, 2, limit_key="k")

    assert cancel(first, scope=scope_of(world)) == "cancelled"

    assert [one.job_id for one in take()] == [second]
    assert path_of(first)[-1] == "cancelled"


def test_a_worker_can_ask_whether_limited_jobs_wait_at_all(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1)
    make_job(world.org)
    assert not limited_waiting(queues=["default"], types=TYPES)

    make_job(world.org, limit_key="k")

    assert limited_waiting(queues=["other", "default"], types=TYPES)
    assert not limited_waiting(queues=["default"], types=["shell"])


# --- Rates ------------------------------------------------------------------------------------------------------


def test_a_rate_lets_its_burst_go_and_says_when_there_is_more(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", rate_count=60, rate_seconds=3600.0, burst=3)
    many(world.org, 5, limit_key="k")
    walk = Walk()

    assert len(take(walk=walk)) == 3
    assert walk.again_seconds == 0.0
    assert take(walk=walk) == []

    assert walk.again_seconds is not None
    assert 50 < walk.again_seconds <= 60


def test_tokens_come_back_with_time_up_to_the_burst(world: World) -> None:
    rate = limit(world.org, LimitScope.KEY, "k", rate_count=60, rate_seconds=3600.0, burst=3)
    many(world.org, 9, limit_key="k")
    assert len(take()) == 3

    LimitBucket.objects.update(refilled_at=Now() - 2.5 * MINUTE)
    assert len(take()) == 2
    LimitBucket.objects.update(refilled_at=Now() - 100 * MINUTE)
    assert len(take()) == 3

    assert LimitBucket.objects.get().limit_id == rate.pk


def test_each_key_has_tokens_of_its_own(world: World) -> None:
    limit(world.org, LimitScope.KEY, **OFTEN)
    for key in ("a", "b"):
        many(world.org, 3, limit_key=key)

    assert keys_of(take()) == ["a", "b"]
    assert take() == []


@pytest.mark.parametrize(
    ("scope", "name"),
    [(LimitScope.ORG, EVERY), (LimitScope.QUEUE, "default"), (LimitScope.TYPE, "python")],
)
def test_other_scopes_have_rates_too(world: World, scope: str, name: str) -> None:
    limit(world.org, scope, name, rate_count=1, rate_seconds=3600.0, burst=2)
    many(world.org, 2, limit_key="a")
    many(world.org, 2)

    assert len(take()) == 2
    assert take() == []
    assert LimitBucket.objects.get().key == ""


def test_a_key_that_waits_for_a_place_is_not_looked_at_by_time(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", max_running=1, rate_count=1, rate_seconds=60.0, burst=2)
    many(world.org, 3, limit_key="k")
    walk = Walk()
    assert len(take(walk=walk)) == 1

    assert take(walk=walk) == []

    assert walk.again_seconds is None


def test_a_start_that_is_given_back_has_cost_its_token(world: World) -> None:
    limit(world.org, LimitScope.KEY, "k", **OFTEN)
    many(world.org, 1, limit_key="k")
    (claimed,) = take()

    finish_one(claimed, Outcome.RELEASED)

    assert take() == []


# --- With others at the same time -------------------------------------------------------------------------------


class Crew:
    """Eight workers that claim and finish limited jobs until all are done, each on a connection of its own."""

    def __init__(self, jobs: int) -> None:
        self.left = jobs
        self.lock = threading.Lock()
        self.numbers = count(1)

    def work(self) -> int:
        worker, walk, done = UUID(int=next(self.numbers)), Walk(), 0
        while self.left > 0:
            claims = take(3, walk=walk, worker=worker)
            for claimed in claims:
                assert finish_one(claimed)
                done += 1
            with self.lock:
                self.left -= len(claims)
        return done

    def run(self) -> None:
        outcomes = at_once(*[self.work] * 8, within_seconds=120)
        assert all(isinstance(outcome, int) for outcome in outcomes), outcomes


def most_at_once(**of: Any) -> int:
    """How many attempts of such jobs ran at the fullest moment, by the database's own times."""
    ids = Job.objects.filter(**of).values("pk")
    moves = []
    for started_at, ended_at in Attempt.objects.filter(job_id__in=ids).values_list("started_at", "ended_at"):
        moves += [(started_at, 1), (ended_at, -1)]
    running = most = 0
    for _, change in sorted(moves):
        running += change
        most = max(most, running)
    return most


@pytest.mark.django_db(transaction=True)
def test_eight_workers_never_exceed_a_limit_and_do_everything() -> None:
    org, other = make_org(shell_programs=["/bin/echo"]), make_org()
    limit(org, LimitScope.ORG, max_running=6)
    limit(org, LimitScope.TYPE, "shell", max_running=2)
    limit(org, LimitScope.KEY, max_running=2)
    limit(org, LimitScope.KEY, "one", max_running=1)
    limit(other, LimitScope.QUEUE, "default", max_running=3)
    for key in ("one", "a", "b"):
        many(org, 40, limit_key=key)
    many(org, 40, **SHELL)
    many(other, 40, limit_key="one")

    Crew(200).run()

    assert most_at_once(org=org) <= 6
    assert most_at_once(org=org, type="shell") <= 2
    assert most_at_once(org=org, limit_key="one") == 1
    assert most_at_once(org=org, limit_key="a") <= 2
    assert most_at_once(org=other) <= 3
    assert set(Job.objects.values_list("status", "attempt")) == {("done", 1)}
    assert not Lease.objects.exists()
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_eight_workers_never_exceed_a_rate_in_any_window() -> None:
    org = make_org()
    limit(org, LimitScope.KEY, rate_count=40, rate_seconds=1.0, burst=5)
    for key in ("a", "b"):
        many(org, 60, limit_key=key)

    Crew(120).run()

    starts = defaultdict(list)
    for job_id, started_at in Attempt.objects.order_by("started_at").values_list("job_id", "started_at"):
        starts[Job.objects.get(pk=job_id).limit_key].append(started_at.timestamp())
    assert {key: len(times) for key, times in starts.items()} == {"a": 60, "b": 60}
    for times in starts.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                allowed = 5 + 40 * (times[last] - times[first])
                # floats hold microseconds, to which the database rounds times too
                assert last - first + 1 <= allowed + 0.001
