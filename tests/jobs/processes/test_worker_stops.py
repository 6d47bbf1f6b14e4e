"""A worker's leases, timeouts and cancellations: when its handlers are asked to stop."""

from typing import Any

import pytest

from jobs.handlers.base import StopReason
from jobs.models import Attempt, Job, Lease
from jobs.processes.worker import EXIT_NO_SLOTS, Worker
from jobs.queue.control import cancel
from jobs.queue.lease import rescue
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import Background, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, finish_one, make_job
from tests.jobs.processes.stepping import MakeWorker, idle, step_until, task
from tests.jobs.queue.whole import assert_whole, lapse_leases, path_of
from tests.tasks import GATES

pytestmark = pytest.mark.django_db


def test_what_runs_is_renewed(make_worker: MakeWorker, world: World) -> None:
    task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    before = Lease.objects.get().expires_at

    worker.keeper.renew()

    assert Lease.objects.get().expires_at > before


def test_a_cancelled_job_is_stopped_at_the_next_renewal(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    worker.keeper.renew()

    step_until(worker, idle(worker))
    assert path_of(job.pk) == ["queued", "running", "cancelled"]
    assert_whole()


def test_a_late_worker_is_told_to_stop_and_its_end_is_fenced(
    make_worker: MakeWorker, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    lapse_leases()
    rescue()
    (theirs,) = claim_all()

    worker.keeper.renew()
    step_until(worker, idle(worker))

    assert "fenced" in caplog.text
    assert worker.presence.jobs_processed == 0
    assert path_of(job.pk)[-1] == "running"
    assert finish_one(theirs)
    assert_whole()


def test_a_lease_that_could_not_be_renewed_is_over_by_our_own_clock(
    make_worker: MakeWorker, world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database out of reach nobody tells us that another has the job."""
    settings.LEASE_SECONDS = 0.05
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    (attempt,) = worker.attempts.values()

    def stopped() -> bool:
        worker.keeper.check_deadlines()
        return attempt.context.stop_reason is not None

    eventually(stopped)
    assert attempt.context.stop_reason is StopReason.LEASE_LOST
    eventually(worker.settle)
    # Nobody had taken it: it is given back, and no try is burnt.
    assert path_of(job.pk) == ["queued", "running", "queued"]
    assert Attempt.objects.get(number=1).outcome == "released"


@pytest.mark.django_db(transaction=True)
def test_a_renewal_waits_for_an_end_and_does_not_lock_against_it(make_worker: MakeWorker, world: World) -> None:
    """Each over several leases, in orders of their own: at once they could deadlock."""
    for _ in range(2):
        make_job(world.org)
    worker = make_worker(slots=2)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 2)
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_lease FOR UPDATE")
        end = Background(worker.settle)
        eventually(waiting_for_locks)
        renewal = Background(worker.keeper.renew)
        report = Background(worker.keeper.flush)
        assert renewal.waits
        assert report.waits
        assert waiting_for_locks() == 1

    assert end.result() is True
    renewal.result()
    report.result()
    assert_whole()


def overdue(worker: Worker) -> None:
    """Let every attempt be past its timeout."""
    for attempt in worker.attempts.values():
        attempt.context.started -= attempt.context.timeout_seconds + 1
    worker.keeper.check_deadlines()


def test_an_attempt_past_its_timeout_is_stopped(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "until_released", gate="g", timeout_seconds=5)
    worker = make_worker()
    worker.step()
    worker.keeper.check_deadlines()
    assert worker.attempts

    overdue(worker)
    step_until(worker, idle(worker))

    job.refresh_from_db()
    assert (job.status, job.outcome, job.error) == ("scheduled", "timeout", "Ran longer than its timeout of 5 s.")


@pytest.mark.parametrize(("act", "status"), [("timeout", "scheduled"), ("cancel", "cancelled")])
def test_a_handler_that_does_not_stop_is_left_and_its_job_goes_on(
    make_worker: MakeWorker, world: World, no_grace: None, act: str, status: str
) -> None:
    job = task(world.org, "stubborn", gate="g")
    other = task(world.org, "until_released", gate="other")
    worker = make_worker(slots=2)
    worker.step()
    stuck = next(each for each in worker.attempts.values() if each.claimed.job_id == job.pk)
    if act == "timeout":
        stuck.context.started -= 1000
    else:
        cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
        worker.keeper.renew()

    worker.keeper.check_deadlines()
    step_until(worker, lambda: Job.objects.filter(pk=job.pk, status=status))

    # Its thread still sits in the handler: one slot less, until it returns.
    assert (worker.stuck, worker.free_slots(), len(worker.attempts)) == (1, 0, 1)
    GATES["g"].set()
    step_until(worker, lambda: worker.stuck == 0)
    assert worker.free_slots() == 1
    assert path_of(job.pk)[-1] == status
    GATES["other"].set()
    step_until(worker, lambda: Job.objects.filter(pk=other.pk, status="done"))
    assert worker.free_slots() == 2
    assert_whole()


def test_a_handler_that_returns_as_it_is_left_counts_once(
    make_worker: MakeWorker, world: World, no_grace: None
) -> None:
    job = task(world.org, "stubborn", gate="g")
    worker = make_worker(slots=2)
    worker.step()
    GATES["g"].set()
    (attempt,) = worker.attempts.values()
    eventually(lambda: not worker.ends.empty())

    attempt.asked_at = 0.0
    worker.keeper.check_deadlines()
    worker.step()

    assert (worker.stuck, worker.free_slots()) == (0, 2)
    assert path_of(job.pk)[-1] == "done"


def test_a_worker_whose_slots_are_all_stuck_ends(make_worker: MakeWorker, world: World, no_grace: None) -> None:
    task(world.org, "stubborn", gate="g", timeout_seconds=1)
    worker = make_worker(slots=1)
    worker.step()

    overdue(worker)
    worker.step()

    assert worker.stopping
    assert worker.exit_code == EXIT_NO_SLOTS
