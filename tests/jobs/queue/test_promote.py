"""Scheduled jobs that are due."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from jobs.models import Job, Ready
from jobs.queue.control import pause
from jobs.queue.promote import promote
from jobs.queue.shares import untuned
from jobs.ranking import rank_offset
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import at_once, elsewhere
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.whole import assert_whole, make_due, path_of

pytestmark = pytest.mark.django_db


def test_what_is_due_is_queued_and_the_rest_waits(world: World) -> None:
    due, later = make_job(world.org, delay_seconds=60), make_job(world.org, delay_seconds=60)
    make_due(due.pk)

    assert promote() == 1

    assert path_of(due.pk) == ["scheduled", "queued"]
    assert path_of(later.pk) == ["scheduled"]
    assert [one.job_id for one in claim_all()] == [due.pk]
    assert_whole()


def test_a_promoted_job_is_ranked_from_the_time_it_is_queued(world: World) -> None:
    job = make_job(world.org, delay_seconds=60, urgency="high")
    make_due()

    promote()

    job.refresh_from_db()
    assert job.queued_at is not None
    assert job.run_at is not None
    assert job.queued_at > job.run_at
    assert Ready.objects.get().rank == pytest.approx(
        job.queued_at.timestamp() + rank_offset("learned", job.predicted_ms, "high", untuned()), abs=0.001
    )


def test_a_retry_goes_on_with_its_attempts(world: World) -> None:
    make_job(world.org)
    finish_one(claim_all()[0], Outcome.ERROR)
    make_due()

    promote()

    assert claim_all()[0].attempt == 2
    assert_whole()


def test_the_longest_due_come_first_in_bounded_batches(world: World, settings: object) -> None:
    settings.PROMOTE_BATCH = 2  # type: ignore[attr-defined]
    jobs = [make_job(world.org, delay_seconds=60) for _ in range(5)]
    for age, job in enumerate(jobs):
        Job.objects.filter(pk=job.pk).update(run_at=Now() - timedelta(seconds=100 + age))

    assert promote() == 2
    assert set(Ready.objects.values_list("job_id", flat=True)) == {jobs[4].pk, jobs[3].pk}
    assert [promote(), promote(), promote()] == [2, 1, 0]
    assert_whole()


def test_what_is_due_in_a_paused_queue_is_held(world: World) -> None:
    make_job(world.org, delay_seconds=60)
    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
    make_due()

    promote()

    assert Ready.objects.get().held
    assert claim_all() == []


@pytest.mark.django_db(transaction=True)
def test_jobs_under_another_hand_are_passed_over() -> None:
    org = make_org()
    taken, free = make_job(org, delay_seconds=60), make_job(org, delay_seconds=60)
    make_due()
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [taken.pk])

        assert promote() == 1

    assert Ready.objects.get().job_id == free.pk


@pytest.mark.django_db(transaction=True)
def test_two_at_once_queue_each_job_once() -> None:
    org = make_org()
    for _ in range(40):
        make_job(org, delay_seconds=60)
    make_due()

    assert sum(at_once(promote, promote, promote)) + promote() == 40
    assert_whole()
