"""The end of an attempt: fenced, counted, and what becomes of its job."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, transaction

from jobs.models import Attempt, Job, Lease, LogLine, Ready, RunDelta, Transition
from jobs.queue.control import pause
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import rescue
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import claimed_job
from tests.jobs.queue.whole import assert_whole, lapse_leases, make_due, path_of

pytestmark = pytest.mark.django_db

TABLES = (Job, Ready, Lease, Attempt, Transition, LogLine, RunDelta)


def everything() -> list[Any]:
    """All rows of the queue, to see that nothing changed."""
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES]


# --- fenced ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["token", "attempt", "job_id"])
def test_an_end_without_the_right_token_attempt_and_job_changes_nothing(world: World, field: str) -> None:
    _, claimed = claimed_job(world)
    wrong: Any = {"token": uuid4(), "attempt": 2, "job_id": uuid4()}[field]
    before = everything()

    assert finish([Ended(claimed._replace(**{field: wrong}), Outcome.DONE)], worker_name="late") == []

    assert everything() == before


def test_an_end_after_the_lease_was_taken_back_changes_nothing(world: World) -> None:
    job, late = claimed_job(world)
    lapse_leases()
    rescue()
    (current,) = claim_all()
    before = everything()

    assert not finish_one(late, Outcome.DONE, result="late")

    assert everything() == before
    assert finish_one(current, Outcome.DONE, result="current")
    job.refresh_from_db()
    assert (job.status, job.result, job.attempt) == ("done", "current", 2)
    assert_whole()


def test_a_second_end_of_the_same_attempt_changes_nothing(world: World) -> None:
    _, claimed = claimed_job(world)
    finish_one(claimed, Outcome.DONE, result=1)
    before = everything()

    assert not finish_one(claimed, Outcome.ERROR, error="again")

    assert everything() == before


def test_a_lease_that_ran_out_but_was_not_taken_back_may_still_be_ended(world: World) -> None:
    job, claimed = claimed_job(world)
    lapse_leases()

    assert finish_one(claimed, result=3)
    assert path_of(job.pk)[-1] == "done"


def test_the_fenced_do_not_hold_up_the_others_of_a_batch(world: World) -> None:
    make_job(world.org)
    make_job(world.org)
    lost, held = claim_all()
    lapse_leases(lost.job_id)
    rescue()

    settled = finish([Ended(lost, Outcome.DONE), Ended(held, Outcome.DONE)], worker_name="tester-1")

    assert [(one.job_id, one.attempt, one.to_status) for one in settled] == [(held.job_id, 1, "done")]
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_an_end_and_the_watchdog_at_once_have_one_winner() -> None:
    org = make_org()
    for _ in range(10):
        job = make_job(org)
        (claimed,) = claim_all()
        lapse_leases()

        ended, rescued = at_once(lambda claimed=claimed: finish_one(claimed), rescue)

        assert (ended, rescued) in {(True, 0), (False, 1)}
        assert path_of(job.pk) == (["queued", "running", "done"] if ended else ["queued", "running", "queued"])
        assert_whole()
        for again in claim_all():
            finish_one(again)


# --- what becomes of the job ----------------------------------------------------------------------------------------


def test_done_keeps_the_result_and_the_times(world: World) -> None:
    job, claimed = claimed_job(world)

    finish_one(claimed, result={"sum": 3})

    job.refresh_from_db()
    attempt = Attempt.objects.get(job_id=job.pk)
    assert (job.status, job.result, job.outcome, job.error) == ("done", {"sum": 3}, "done", "")
    assert job.queued_at
    assert job.started_at
    assert job.finished_at
    assert job.queued_at <= job.started_at <= job.finished_at
    assert job.runtime_ms == pytest.approx((job.finished_at - job.started_at) / timedelta(milliseconds=1), abs=0.01)
    assert (attempt.number, attempt.outcome, attempt.worker_name) == (1, "done", "tester-1")
    assert (attempt.started_at, attempt.ended_at, attempt.predicted_ms) == (
        job.started_at,
        job.finished_at,
        job.predicted_ms,
    )
    assert_whole()


def test_an_error_is_tried_again_after_the_backoff_as_a_due_time(world: World) -> None:
    job, claimed = claimed_job(world)

    finish_one(claimed, Outcome.ERROR, error_type="ValueError", error="broken")

    job.refresh_from_db()
    assert (job.status, job.attempt, job.error_type, job.error) == ("scheduled", 1, "ValueError", "broken")
    ended_at = Attempt.objects.get().ended_at
    assert job.run_at is not None
    assert timedelta(seconds=2) <= job.run_at - ended_at <= timedelta(seconds=3)
    assert claim_all() == []
    assert_whole()


def test_tries_are_spent_one_by_one_until_the_job_is_a_dead_letter(world: World) -> None:
    job = make_job(world.org, max_attempts=3)

    for _ in range(3):
        (claimed,) = claim_all()
        finish_one(claimed, Outcome.TIMEOUT, error_type="Timeout", error="too long")
        make_due()
        promote()

    job.refresh_from_db()
    assert (job.status, job.attempt, job.outcome, job.error_type) == ("failed", 3, "timeout", "Timeout")
    assert path_of(job.pk) == [*["queued", "running", "scheduled"] * 2, "queued", "running", "failed"]
    assert_whole()


def test_a_permanent_failure_spends_no_further_try(world: World) -> None:
    job, claimed = claimed_job(world)

    finish_one(claimed, Outcome.ERROR, error="never", permanent=True)

    assert path_of(job.pk)[-1] == "failed"
    assert_whole()


def test_a_release_burns_nothing_however_often(world: World) -> None:
    job = make_job(world.org, max_attempts=1)
    for _ in range(5):
        (claimed,) = claim_all()
        finish_one(claimed, Outcome.RELEASED)

    (claimed,) = claim_all()
    finish_one(claimed, Outcome.DONE)

    assert (claimed.attempt, claimed.failures) == (6, 1)
    assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["released"] * 5 + ["done"]
    assert path_of(job.pk)[-1] == "done"
    assert_whole()


def test_a_cancelled_attempt_ends_its_job(world: World) -> None:
    job, claimed = claimed_job(world)

    finish_one(claimed, Outcome.CANCELLED)

    assert path_of(job.pk) == ["queued", "running", "cancelled"]
    assert_whole()


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.DONE, "done"), (Outcome.ERROR, "cancelled"), (Outcome.RELEASED, "cancelled"), ("timeout", "cancelled")],
)
def test_a_job_that_a_person_cancelled_is_not_tried_again(world: World, outcome: Outcome, status: str) -> None:
    job, claimed = claimed_job(world)
    Lease.objects.update(cancel_requested=True)

    finish_one(claimed, outcome)

    assert path_of(job.pk)[-1] == status
    assert_whole()


def test_a_batch_of_all_kinds_is_settled_each_in_its_way(world: World) -> None:
    for _ in range(5):
        make_job(world.org)
    outcomes = [Outcome.DONE, Outcome.ERROR, Outcome.TIMEOUT, Outcome.RELEASED, Outcome.CANCELLED]

    settled = finish(
        [Ended(one, outcome) for one, outcome in zip(claim_all(), outcomes, strict=True)], worker_name="tester-1"
    )

    assert sorted(one.to_status for one in settled) == ["cancelled", "done", "queued", "scheduled", "scheduled"]
    assert_whole()


def test_a_job_released_in_a_paused_queue_is_held(world: World) -> None:
    _, claimed = claimed_job(world)
    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    finish_one(claimed, Outcome.RELEASED)

    assert Ready.objects.get().held


def test_an_end_that_cannot_be_stored_changes_nothing(world: World) -> None:
    _, claimed = claimed_job(world)
    before = everything()

    with pytest.raises(DataError), transaction.atomic():
        finish_one(claimed, result="a\0b")

    assert everything() == before


def test_long_errors_are_cut(world: World) -> None:
    job, claimed = claimed_job(world)

    finish_one(claimed, Outcome.ERROR, error_type="T" * 500, error="x" * 100_000)

    job.refresh_from_db()
    assert len(job.error) < 10_000
    assert len(job.error_type) == 128
