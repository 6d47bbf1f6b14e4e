"""The right to run: renewed, lost, taken back, given back."""

from typing import Any
from uuid import uuid4

import pytest

from jobs.models import Attempt, Job, Lease, LogLine, Ready, RunDelta
from jobs.queue.lease import give_back, renew, report, rescue
from jobs.states import Outcome
from tests.concurrency import Background, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import WORKER, claim_all, finish_one, make_job, make_org
from tests.jobs.queue.whole import assert_whole, lapse_leases, make_due, path_of

pytestmark = pytest.mark.django_db


# --- renew ----------------------------------------------------------------------------------------------------------


def test_a_renewal_extends_the_leases_that_are_named(world: World) -> None:
    make_job(world.org)
    make_job(world.org)
    mine, silent = claim_all()
    before = Lease.objects.get(token=mine.token).expires_at
    silent_before = Lease.objects.get(token=silent.token).expires_at

    renewed = renew(worker_id=WORKER, tokens=[mine.token])

    assert renewed.held == {mine.token}
    assert Lease.objects.get(token=mine.token).expires_at > before
    assert Lease.objects.get(token=silent.token).expires_at == silent_before


def test_only_own_tokens_are_renewed(world: World) -> None:
    make_job(world.org)
    (theirs,) = claim_all(worker=uuid4())

    assert renew(worker_id=WORKER, tokens=[theirs.token, uuid4()]).held == frozenset()


def test_a_lease_that_ran_out_is_not_renewed_though_nobody_took_it_back(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    lapse_leases()

    assert renew(worker_id=WORKER, tokens=[claimed.token]).held == frozenset()
    assert rescue() == 1


def test_a_renewal_brings_the_wish_to_cancel(world: World) -> None:
    make_job(world.org)
    make_job(world.org)
    one, other = claim_all()
    Lease.objects.filter(token=one.token).update(cancel_requested=True)

    renewed = renew(worker_id=WORKER, tokens=[one.token, other.token])

    assert renewed.held == {one.token, other.token}
    assert renewed.cancelled == {one.token}


# --- rescue ---------------------------------------------------------------------------------------------------------


def test_a_lost_attempt_is_counted_and_its_job_queued_again(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    lapse_leases()

    assert rescue() == 1

    attempt = Attempt.objects.get(job_id=job.pk)
    assert (attempt.number, attempt.outcome, attempt.error_type) == (1, "lost", "LeaseLost")
    assert "tester-1" in attempt.error
    assert path_of(job.pk) == ["queued", "running", "queued"]
    assert not finish_one(claimed)
    assert claim_all()[0].attempt == 2
    assert_whole()


def test_a_lease_that_holds_is_left_alone(world: World) -> None:
    make_job(world.org)
    claim_all()

    assert rescue() == 0
    assert_whole()


def test_a_poison_job_fails_after_its_attempts(world: World) -> None:
    job = make_job(world.org, max_attempts=3)

    for _ in range(3):
        claim_all()
        lapse_leases()
        rescue()

    job.refresh_from_db()
    assert (job.status, job.attempt, job.outcome, job.error_type) == ("failed", 3, "lost", "LeaseLost")
    assert claim_all() == []
    assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["lost"] * 3
    assert_whole()


def test_a_lost_attempt_that_was_to_be_cancelled_ends_cancelled(world: World) -> None:
    job = make_job(world.org)
    claim_all()
    Lease.objects.update(cancel_requested=True)
    lapse_leases()

    rescue()

    assert path_of(job.pk)[-1] == "cancelled"
    assert_whole()


def test_leases_are_taken_back_in_bounded_batches(world: World) -> None:
    for _ in range(5):
        make_job(world.org)
    claim_all()
    lapse_leases()

    assert [rescue(batch=2) for _ in range(4)] == [2, 2, 1, 0]
    assert_whole()


def test_what_a_lost_attempt_took_says_nothing_of_its_run_time(world: World) -> None:
    make_job(world.org)
    claim_all()
    lapse_leases()

    rescue()

    assert not RunDelta.objects.exists()


def test_a_lease_of_a_job_that_is_no_more_is_cleared_away(world: World) -> None:
    job = make_job(world.org)
    claim_all()
    Job.objects.filter(pk=job.pk).delete()
    lapse_leases()

    rescue()

    assert not Lease.objects.exists()
    assert not Ready.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_watchdogs_do_not_take_the_same_lease() -> None:
    make_job(make_org())
    claim_all()
    lapse_leases()
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_lease FOR UPDATE")

        assert rescue() == 0


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_comes_first_saves_the_lease_from_the_watchdog() -> None:
    """The watchdog saw it run out, and reads it again when it has the row."""
    make_job(make_org())
    claim_all()
    lapse_leases()
    with elsewhere() as other:
        other.execute("UPDATE jobs_lease SET expires_at = clock_timestamp() + interval '30 seconds'")
        other.execute("COMMIT")

        assert rescue() == 0


@pytest.mark.django_db(transaction=True)
def test_a_renewal_waits_for_the_watchdog_and_learns_that_it_lost() -> None:
    make_job(make_org())
    (claimed,) = claim_all()
    with elsewhere() as watchdog:
        watchdog.execute("DELETE FROM jobs_lease")
        renewal = Background(lambda: renew(worker_id=WORKER, tokens=[claimed.token]))
        eventually(waiting_for_locks)
        assert renewal.waits
        watchdog.execute("COMMIT")

        assert renewal.result().held == frozenset()


# --- what was claimed without the worker hearing of it --------------------------------------------------------------


def test_leases_without_a_known_token_are_given_back_and_burn_nothing(world: World) -> None:
    known_job, unheard = make_job(world.org), make_job(world.org, max_attempts=1)
    other_worker = make_job(world.org, queue="other")
    claim_all(queue="other", worker=uuid4())
    known = next(one for one in claim_all() if one.job_id == known_job.pk)

    assert give_back(worker_id=WORKER, known=[known.token], worker_name="tester-1") == 1

    assert path_of(unheard.pk) == ["queued", "running", "queued"]
    assert {lease.job_id for lease in Lease.objects.all()} == {known_job.pk, other_worker.pk}
    (again,) = claim_all()
    assert (again.attempt, again.attempt_limit, again.failures) == (2, 2, 1)
    assert_whole()


# --- reports ----------------------------------------------------------------------------------------------------------


def line(token: Any, sequence: int, text: str = "hello") -> dict[str, Any]:
    return {"token": str(token), "sequence": sequence, "stream": "log", "text": text, "age_seconds": 0.5}


def test_lines_and_progress_are_kept_while_the_lease_holds(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    progress = [{"token": str(claimed.token), "progress": 0.25, "progress_message": "a quarter"}]

    report(lines=[line(claimed.token, 1), line(claimed.token, 2)], progress=progress)

    lease = Lease.objects.get()
    assert (lease.progress, lease.progress_message) == (0.25, "a quarter")
    lines = LogLine.objects.order_by("sequence")
    assert list(lines.values_list("job_id", "attempt", "sequence")) == [(job.pk, 1, 1), (job.pk, 1, 2)]


def test_lines_sent_again_after_an_answer_was_lost_are_kept_once(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    report(lines=[line(claimed.token, 1)], progress=[])

    report(lines=[line(claimed.token, 1), line(claimed.token, 2)], progress=[])

    assert LogLine.objects.count() == 2


def test_an_attempt_that_lost_its_lease_writes_no_lines_and_no_progress(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.ERROR, error="broken")
    make_due()

    report(lines=[line(claimed.token, 1)], progress=[])

    assert not LogLine.objects.exists()
