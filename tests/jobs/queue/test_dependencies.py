"""Jobs that wait for others: until they are done, or have ended in any way."""

from typing import Any

import pytest
from django.db import connection

from jobs.models import Dependency, Ending, Job, Ready, Transition
from jobs.queue.control import cancel, replay
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import rescue
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.queue.acts import claimed_job, enqueue_as, new_job, scope_of
from tests.jobs.queue.graphs import fail, queued, release_all, run, statuses, store
from tests.jobs.queue.whole import assert_whole, lapse_leases, path_of

pytestmark = pytest.mark.django_db


# --- after success --------------------------------------------------------------------------------------------------


def test_a_job_waits_until_the_other_is_done(world: World) -> None:
    parent = make_job(world.org)
    (child,) = store(world.org, new_job(after=[parent.pk]))
    waiting = Job.objects.get(pk=child)

    run(parent.pk)

    assert (waiting.status, waiting.waiting_on, waiting.run_at, waiting.queued_at) == ("scheduled", 1, None, None)
    released = Job.objects.get(pk=child)
    assert (released.status, released.waiting_on) == ("queued", 0)
    assert Ready.objects.get(job_id=child).rank == released.queued_at.timestamp() + released.rank_offset
    assert path_of(child) == ["scheduled", "queued"]
    assert Transition.objects.filter(job_id=child).latest("id").reason == "dependency"
    assert not Dependency.objects.exists()
    assert not Ending.objects.exists()
    assert_whole()


def test_a_retry_of_the_other_is_no_end(world: World) -> None:
    parent = make_job(world.org)
    (child,) = store(world.org, new_job(after_end=[parent.pk]))

    run(parent.pk, outcome=Outcome.ERROR)

    assert statuses([parent.pk, child]) == ["scheduled", "scheduled"]
    assert not Ending.objects.exists()


def test_a_chain_runs_in_order(world: World) -> None:
    jobs = store(world.org, new_job(ref="a"), new_job(ref="b", after=["a"]), new_job(ref="c", after=["b"]))

    order = []
    for job_id in jobs:
        order.append(queued())
        run(job_id)

    assert order == [{jobs[0]}, {jobs[1]}, {jobs[2]}]
    assert statuses(jobs) == ["done"] * 3
    assert_whole()


def test_a_diamond_waits_for_both_sides(world: World) -> None:
    top, left, right, bottom = store(
        world.org,
        new_job(ref="top"),
        new_job(ref="left", after=["top"]),
        new_job(ref="right", after=["top"]),
        new_job(after=["left", "right"]),
    )
    run(top)
    first, second = claim_all()

    finish_one(first)
    release_all()
    half = Job.objects.get(pk=bottom)
    finish_one(second)
    release_all()

    assert {first.job_id, second.job_id} == {left, right}
    assert (half.status, half.waiting_on) == ("scheduled", 1)
    assert queued() == {bottom}
    assert_whole()


def test_parents_that_end_together_release_once(world: World) -> None:
    parents = store(world.org, *[new_job(ref=str(number)) for number in range(50)])
    (child,) = store(world.org, new_job(after=parents))

    run(*parents)

    assert queued() == {child}
    assert path_of(child) == ["scheduled", "queued"]


def test_a_job_after_done_ones_is_queued_at_once(world: World) -> None:
    (child,) = store(world.org, new_job(after=[make_done(world.org).pk, make_done(world.org).pk]))

    assert path_of(child) == ["queued"]
    assert queued() == {child}


def test_what_is_done_already_is_not_waited_for(world: World) -> None:
    done, parent = make_done(world.org), make_job(world.org)
    (child,) = store(world.org, new_job(after=[done.pk, parent.pk]))

    run(parent.pk)

    assert queued() == {child}


def test_a_fan_out_of_ten_thousand_is_released_in_bounded_statements(world: World) -> None:
    parent, *children = store(world.org, new_job(ref="root"), *[new_job(after=["root"]) for _ in range(10_000)])
    claimed = claim_all()

    finish_one(claimed[0])
    statements = release_all(batch=1_000)

    assert claimed[0].job_id == parent
    assert 10 <= statements <= 12
    assert Ready.objects.count() == 10_000
    assert Job.objects.filter(status="queued", waiting_on=0).count() == 10_000
    assert Transition.objects.filter(from_status="scheduled", to_status="queued").count() == 10_000
    assert set(children) == queued()
    assert not Dependency.objects.exists()
    assert not Ending.objects.exists()


def test_a_fan_in_waits_for_the_last_of_a_thousand(world: World) -> None:
    parents = store(world.org, *[new_job() for _ in range(1_000)])
    (child,) = store(world.org, new_job(after=parents))
    first, last = claim_all(slots=999), claim_all(slots=1)

    finish([Ended(one, Outcome.DONE) for one in first], worker_name="tester-1")
    release_all(batch=100)
    waiting = Job.objects.get(pk=child)
    finish([Ended(one, Outcome.DONE) for one in last], worker_name="tester-1")
    release_all(batch=100)

    assert (waiting.status, waiting.waiting_on) == ("scheduled", 1)
    assert queued() == {child}


# --- failure and cancelling -----------------------------------------------------------------------------------------


def test_the_failure_of_the_other_cancels_what_follows_it(world: World) -> None:
    a, b, c = store(world.org, new_job(ref="a"), new_job(ref="b", after=["a"]), new_job(after=["b"]))

    fail(a)

    assert statuses([a, b, c]) == ["failed", "cancelled", "cancelled"]
    reasons = [Transition.objects.filter(job_id=job_id).latest("id").reason for job_id in (b, c)]
    assert reasons == [f"dependency failed: job {a}", f"dependency was cancelled: job {b}"]
    assert not Dependency.objects.exists()
    assert not Ending.objects.exists()
    assert_whole()


def test_one_failure_of_many_is_enough(world: World) -> None:
    good, bad = store(world.org, new_job(), new_job())
    (child,) = store(world.org, new_job(after=[good, bad]))
    claims = {one.job_id: one for one in claim_all()}

    finish_one(claims[bad], Outcome.ERROR, error_type="ValueError", permanent=True)
    release_all()
    cancelled = path_of(child)
    finish_one(claims[good])
    release_all()

    assert cancelled == path_of(child) == ["scheduled", "cancelled"]
    assert not Dependency.objects.exists()
    assert_whole()


@pytest.mark.parametrize("outcome", ["done", "error", "cancelled"])
def test_a_job_after_the_end_runs_however_the_other_ended(world: World, outcome: str) -> None:
    parent = make_job(world.org)
    (child,) = store(world.org, new_job(after_end=[parent.pk]))

    run(parent.pk, outcome=Outcome(outcome), error_type="ValueError", permanent=True)

    assert queued() == {child}
    assert_whole()


def test_success_is_asked_of_a_job_that_is_named_both_ways(world: World) -> None:
    parent = make_job(world.org)
    (child,) = store(world.org, new_job(after=[parent.pk], after_end=[parent.pk]))

    fail(parent.pk)

    assert statuses([child]) == ["cancelled"]


def test_cancelling_a_job_cancels_what_follows_it(world: World, django_capture_on_commit_callbacks: Any) -> None:
    a, b, c, clean_up = store(
        world.org,
        new_job(ref="a"),
        new_job(ref="b", after=["a"]),
        new_job(after=["b"]),
        new_job(after_end=["b"]),
    )

    with django_capture_on_commit_callbacks(execute=True):
        cancel(b, scope=scope_of(world))

    assert statuses([a, b, c, clean_up]) == ["queued", "cancelled", "cancelled", "queued"]
    run(a)
    assert statuses([b]) == ["cancelled"]
    assert not Dependency.objects.exists()
    assert_whole()


def test_a_running_job_that_is_cancelled_cancels_what_follows_it(world: World) -> None:
    job, claimed = claimed_job(world)
    (child,) = store(world.org, new_job(after=[job.pk]))
    cancel(job.pk, scope=scope_of(world))

    finish_one(claimed, Outcome.CANCELLED)
    release_all()

    assert statuses([job.pk, child]) == ["cancelled", "cancelled"]


def test_a_job_that_was_lost_for_good_cancels_what_follows_it(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    job, _ = claimed_job(world, max_attempts=1)
    (child,) = store(world.org, new_job(after=[job.pk]))
    lapse_leases()

    with django_capture_on_commit_callbacks(execute=True):
        rescue()

    assert statuses([job.pk, child]) == ["failed", "cancelled"]


@pytest.mark.parametrize(("condition", "status"), [("after", "cancelled"), ("after_end", "queued")])
def test_the_policy_holds_at_once_for_a_job_after_one_that_failed(
    world: World, condition: str, status: str, django_capture_on_commit_callbacks: Any
) -> None:
    dead = make_dead_letter(world.org)

    with django_capture_on_commit_callbacks(execute=True):
        (child,) = store(world.org, new_job(**{condition: [dead.pk]}))

    assert statuses([child]) == [status]
    assert not Dependency.objects.exists()
    assert_whole()


def test_a_replay_does_not_bring_back_what_was_cancelled(world: World) -> None:
    parent = make_job(world.org)
    (child,) = store(world.org, new_job(after=[parent.pk]))
    fail(parent.pk)

    replay(parent.pk, scope=scope_of(world))
    (late,) = store(world.org, new_job(after=[parent.pk]))
    run(parent.pk)

    assert statuses([parent.pk, child, late]) == ["done", "cancelled", "queued"]
    assert_whole()


# --- cost -----------------------------------------------------------------------------------------------------------


def test_a_job_that_nobody_waits_for_leaves_nothing_at_its_end(world: World, django_assert_num_queries: Any) -> None:
    job = enqueue_as(world.org)
    (claimed,) = claim_all()

    with django_assert_num_queries(0):  # the hot statements go round Django's cursors: nothing else is asked
        finish_one(claimed)

    assert statuses([job.job_id]) == ["done"]
    assert not Ending.objects.exists()


def test_the_end_of_a_job_with_dependents_stays_a_hot_update(world: World) -> None:
    """Neither of the columns about dependencies is in an index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'jobs_job'")
        assert not [text for (text,) in cursor.fetchall() if "waiting_on" in text or "has_dependents" in text]
