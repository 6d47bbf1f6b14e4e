"""When will it start? From the leader's profile of what waits, and what comes of that."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Attempt, Backlog, Job, Ready, WorkerProcess
from jobs.queue import backlog, sql
from jobs.queue.backlog import NOTHING, STALE_SECONDS, Profile, profile_of, up_to
from jobs.queue.enqueue import Enqueued, enqueue, enqueue_many
from jobs.queue.forecast import start_errors, waits
from jobs.queue.keep_order import ENOUGH_STARTS, MOST_QUEUES, Turns, compare_starts, keep_backlog
from orgs.models import Org
from tests.conftest import World
from tests.factories import WORKER, claim_all, finish_one, make_done, make_job
from tests.jobs.queue.acts import new_job

pytestmark = pytest.mark.django_db

COST = 2.0


def serve(slots: int, queue: str = "default", **fields: Any) -> None:
    about = {"kind": "worker", "hostname": "h", "pid": 1, "version": "1", "slots": slots, "types": ["python"]}
    WorkerProcess.objects.create(id=WORKER, queues=[queue], started_at=Now(), beat_at=Now(), **{**about, **fields})


def profile(slots: int = 2, **fields: Any) -> Profile:
    return Profile(slots, *NOTHING)._replace(age_seconds=0.0, **fields)


# --- the profile ----------------------------------------------------------------------------------------------------


def test_it_is_the_work_by_rank(world: World) -> None:
    serve(3)
    for rank in (5, 1, 3):
        Ready.objects.filter(job_id=make_job(world.org).pk).update(rank=rank)
    claim_all(slots=1)

    keep_backlog()

    known = profile_of("default").profile
    assert (known.slots, known.running, known.more) == (3, 1, False)
    assert known.running_ms == pytest.approx(COST * 1000, rel=0.2)
    assert (known.ranks, known.waiting_ms) == ([3, 5], [2000, 4000])


def test_it_is_told_by_a_bounded_number_of_points_and_ends_where_the_leader_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.queue.keep_order.READ_JOBS", 600)
    enqueue_many([new_job()] * 1000, org=world.org, user=None)

    keep_backlog()

    known = profile_of("default").profile
    assert known.more
    assert 200 <= len(known.ranks) <= 301
    assert known.waiting_ms[-1] == 600 * 2000
    beyond = known.ranks[-1] + (known.ranks[-1] - known.ranks[0]) / 2
    assert known.before(beyond) == pytest.approx(900 * 2000, rel=0.05)


def test_a_queue_that_was_worked_off_is_empty_again(world: World) -> None:
    make_job(world.org)
    keep_backlog()
    claim_all()
    keep_backlog()
    keep_backlog()

    assert Backlog.objects.get().ranks == []


def test_of_many_queues_each_has_its_turn() -> None:
    names, turns = [f"q{number:03}" for number in range(3 * MOST_QUEUES // 2)], Turns()

    first, second = turns.of(names), turns.of(names)

    assert first == names[:MOST_QUEUES]
    assert second[: MOST_QUEUES // 2] == names[MOST_QUEUES:]
    assert turns.of(["b", "a"]) == ["a", "b"]


# --- waits ----------------------------------------------------------------------------------------------------------


def test_with_a_free_slot_and_nothing_before_it_a_job_starts_at_once() -> None:
    assert profile(running=1, running_ms=500.0).wait(10.0, now=100.0).wait_seconds == 0


def test_the_work_before_it_is_done_by_all_slots() -> None:
    there = profile(running=2, running_ms=1000.0, ranks=[50, 100, 200], waiting_ms=[4000, 8000, 9000])

    assert there.wait(0.0, now=100.0).wait_seconds == (8 + 1) / 2
    assert there.wait(0.0, now=75.0).wait_seconds == (6 + 1) / 2
    assert there.wait(0.0, now=0.0).wait_seconds == 1 / 2


def test_what_comes_in_with_lower_ranks_meanwhile_is_waited_for_too() -> None:
    there = profile(running=2, ranks=[50], waiting_ms=[8000], offsets=[0, 1000], arriving_ms=[500, 1500])

    short, long = there.wait(0.0, now=100.0), there.wait(5000.0, now=100.0)

    assert short.wait_seconds == pytest.approx(8 / 2)
    # half of the slots' time at most is taken to go to others
    assert long.wait_seconds == pytest.approx(8 / 1)


def test_an_old_profile_says_nothing_of_what_waits() -> None:
    there = profile(running=2, running_ms=1e6, ranks=[50], waiting_ms=[8000])

    assert there._replace(age_seconds=STALE_SECONDS + 1).wait(0.0, now=100.0).wait_seconds == 0


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_later_place_never_has_less_before_it(found: list[tuple[float, float]], one: float, other: float) -> None:
    places, sums = sorted(place for place, _ in found), sorted(total for _, total in found)

    assert up_to(min(one, other), places, sums) <= up_to(max(one, other), places, sums) * (1 + 1e-9)


# --- what is said at submit -----------------------------------------------------------------------------------------


def expected_of(org: Org, **fields: Any) -> Job:
    outcome = enqueue(new_job(**fields), org=org, user=None)
    assert isinstance(outcome, Enqueued)
    job = Job.objects.get(pk=outcome.job_id)
    assert outcome.job is not None
    assert outcome.job.expected_start_at == job.expected_start_at
    return job


def test_a_job_is_told_its_start_and_end(world: World) -> None:
    serve(1)
    enqueue_many([new_job()] * 5, org=world.org, user=None)
    keep_backlog()

    job = expected_of(world.org)

    assert job.expected is not None
    assert (job.expected.starts_at - job.created_at).total_seconds() == pytest.approx(5 * COST, abs=0.1)
    assert job.expected.starts_low_at < job.expected.starts_at < job.expected.starts_high_at
    assert (job.expected.ends_at - job.expected.starts_at).total_seconds() == pytest.approx(COST)


def test_those_of_one_call_start_one_after_the_other(world: World) -> None:
    """Though the leader has not seen any of them."""
    serve(5)
    enqueue_many([new_job()] * 11, org=world.org, user=None)

    first, *_, last = Job.objects.order_by("id")
    assert first.expected_start_at == first.created_at
    assert last.expected_start_at is not None
    assert (last.expected_start_at - last.created_at).total_seconds() == pytest.approx(10 * COST / 5, abs=0.2)


def test_nothing_is_said_where_nobody_serves_nor_of_what_is_due_later(world: World) -> None:
    assert expected_of(world.org).expected is None
    serve(1)
    assert expected_of(world.org, delay_seconds=60.0).expected is None
    assert expected_of(world.org, queue="other").expected is None


def test_a_submit_lives_without_the_profile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = sql.numbered
    monkeypatch.setattr(sql, "numbered", lambda name: (b"SELECT 1 / 0", []) if name == "backlog" else numbered(name))

    assert expected_of(world.org).expected is None


def test_a_job_that_waits_is_told_from_now(world: World) -> None:
    serve(2)
    job = [make_job(world.org) for _ in range(5)][-1]
    keep_backlog()

    wait = waits(world.org, Ready.objects.get(job_id=job.pk), 0.0)

    assert wait is not None
    assert wait.wait_seconds == pytest.approx(4 * COST / 2, abs=0.6)


# --- how right it was -----------------------------------------------------------------------------------------------


def late_by(job: Job, *, expected_seconds: float, seconds: float) -> None:
    Job.objects.filter(pk=job.pk).update(
        expected_start_at=F("created_at") + timedelta(seconds=expected_seconds),
        expected_start_low_at=F("created_at"),
        expected_start_high_at=F("created_at") + timedelta(seconds=2 * expected_seconds),
    )
    Attempt.objects.filter(job_id=job.pk).update(started_at=job.created_at + timedelta(seconds=seconds))


def test_errors_of_late_are_told_for_an_organisation_alone(world: World) -> None:
    for seconds in (9, 10, 40):
        late_by(make_done(world.org), expected_seconds=10, seconds=seconds)
    late_by(make_done(world.rival), expected_seconds=10, seconds=4000)

    found = start_errors(world.org)

    assert (found.jobs, found.median_error_seconds) == (3, pytest.approx(1))
    assert found.within_range == pytest.approx(2 / 3)


def test_the_range_is_that_of_the_errors_of_late(world: World) -> None:
    make_job(world.org)
    keep_backlog()
    claim_all()
    for number in range(ENOUGH_STARTS):
        late_by(make_done(world.org), expected_seconds=9, seconds=9 if number % 2 else 39)

    compare_starts()

    known = profile_of("default").profile
    assert (known.early_ratio, known.late_ratio) == (pytest.approx(1), pytest.approx(4))


def test_a_few_starts_change_no_range(world: World) -> None:
    make_job(world.org)
    keep_backlog()
    for one in claim_all():
        finish_one(one)

    compare_starts()

    assert profile_of("default").profile.late_ratio == backlog.LATE_RATIO
