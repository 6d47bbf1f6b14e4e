"""Another urgency moves a job that waits, and touches no other."""

import pytest

from jobs.models import Job, Ready
from jobs.queue.rerank import set_urgency
from jobs.states import Outcome
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_job, make_org
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


def urgency_of(job: Job) -> tuple[str, float]:
    job.refresh_from_db()
    return job.urgency, job.rank_offset


def test_a_job_that_becomes_urgent_is_claimed_before_those_that_came_earlier(world: World) -> None:
    earlier, last = [make_job(world.org) for _ in range(2)], make_job(world.org)

    assert set_urgency(last.pk, world.org, "high", by="model")

    assert [claim_all(slots=1)[0].job_id for _ in range(3)] == [last.pk, earlier[0].pk, earlier[1].pk]
    assert_whole()


def test_a_job_that_becomes_less_urgent_is_claimed_after_those_that_come_later(world: World) -> None:
    first, later = make_job(world.org), make_job(world.org)

    assert set_urgency(first.pk, world.org, "low", by="model")

    assert [claim_all(slots=1)[0].job_id for _ in range(2)] == [later.pk, first.pk]


def test_it_is_ranked_as_if_it_had_been_submitted_so(world: World) -> None:
    job, urgent = make_job(world.org), make_job(world.org, urgency="high")

    set_urgency(job.pk, world.org, "high", by="model")

    assert urgency_of(job) == ("high", pytest.approx(urgent.rank_offset))
    row = Ready.objects.get(pk=job.pk)
    assert row.rank == pytest.approx(row.queued_at.timestamp() + job.rank_offset, abs=1e-3)


def test_a_job_that_is_not_due_yet_has_it_when_it_is(world: World) -> None:
    job, urgent = make_job(world.org, delay_seconds=60), make_job(world.org, urgency="high")

    assert set_urgency(job.pk, world.org, "high", by="model")

    assert urgency_of(job) == ("high", pytest.approx(urgent.rank_offset))


def test_a_job_that_runs_or_has_ended_is_not_touched(world: World) -> None:
    failed, running = make_dead_letter(world.org), make_job(world.org)
    (claimed,) = claim_all()
    before = [urgency_of(failed), urgency_of(running)]

    assert not set_urgency(running.pk, world.org, "high", by="model")
    assert not set_urgency(failed.pk, world.org, "high", by="model")

    assert [urgency_of(failed), urgency_of(running)] == before
    assert finish_one(claimed, Outcome.DONE, result=3)
    assert_whole()


def test_the_same_urgency_and_a_job_of_others_are_left(world: World) -> None:
    job = make_job(world.org)
    before = urgency_of(job)

    assert not set_urgency(job.pk, world.org, "medium", by="model")
    assert not set_urgency(job.pk, world.rival, "high", by="model")

    assert urgency_of(job) == before


@pytest.mark.django_db(transaction=True)
def test_against_claims_each_job_is_moved_and_waits_or_runs_unmoved() -> None:
    org = make_org("acme")
    jobs = [make_job(org) for _ in range(20)]

    moved, claimed = at_once(
        lambda: [job.pk for job in jobs if set_urgency(job.pk, org, "low", by="model")],
        lambda: [one.job_id for _ in range(10) for one in claim_all(slots=2)],
    )

    assert not isinstance(moved, Exception)
    assert not isinstance(claimed, Exception)
    assert set(claimed) == {job.pk for job in jobs}
    for job in jobs:
        assert (urgency_of(job)[0] == "low") == (job.pk in moved)
    assert_whole()
