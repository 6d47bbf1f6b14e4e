"""Another urgency for a job that waits: it moves; one that has started is left alone."""

import pytest

from jobs.models import Job, Ready
from jobs.queue.enqueue import enqueue_many
from jobs.queue.promote import promote
from jobs.queue.rerank import set_urgency
from jobs.queue.shares import untuned
from jobs.ranking import rank_offset
from orgs.models import AuditEntry
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.whole import assert_whole, make_due

pytestmark = pytest.mark.django_db


def test_an_urgent_job_is_claimed_before_those_that_came_earlier(world: World) -> None:
    first, second = make_job(world.org), make_job(world.org)

    assert set_urgency(second.pk, world.org, "high", by=world.owner)

    assert [one.job_id for one in claim_all()] == [second.pk, first.pk]
    assert_whole()


def test_its_lead_is_stretched_anew(world: World) -> None:
    enqueue_many([new_job()] * 9, org=world.org, user=None)
    job = Job.objects.latest("id")
    rank, lead = Ready.objects.get(job_id=job.pk).rank, job.rank_offset

    set_urgency(job.pk, world.org, "low", by=world.owner)
    job.refresh_from_db()

    assert job.stretch == rank_offset("learned", job.predicted_ms, "low", untuned())
    assert job.rank_offset == pytest.approx(lead * job.stretch)
    assert Ready.objects.get(job_id=job.pk).rank == pytest.approx(rank + job.rank_offset - lead, abs=1e-4)
    assert set_urgency(job.pk, world.org, "medium", by=world.owner)
    assert Ready.objects.get(job_id=job.pk).rank == pytest.approx(rank, abs=1e-4)


def test_one_that_is_due_later_takes_its_urgency_along(world: World) -> None:
    job = make_job(world.org, delay_seconds=60)

    assert set_urgency(job.pk, world.org, "high", by="model")
    make_due()
    promote()

    job.refresh_from_db()
    assert job.queued_at is not None
    assert Ready.objects.get().rank == pytest.approx(
        job.queued_at.timestamp() + rank_offset("learned", job.predicted_ms, "high", untuned()), abs=1e-3
    )


def test_a_job_that_runs_has_ended_or_is_anothers_is_left_alone(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()

    assert not set_urgency(job.pk, world.org, "high", by=world.owner)
    finish_one(claimed)
    assert not set_urgency(job.pk, world.org, "high", by=world.owner)
    assert not set_urgency(make_job(world.rival).pk, world.org, "high", by=world.owner)
    assert not set_urgency(make_job(world.org).pk, world.org, "medium", by=world.owner)
    assert not Job.objects.exclude(urgency="medium").exists()
    assert not AuditEntry.objects.filter(action="job.urgency").exists()


def test_what_a_person_did_is_audited_and_what_a_model_did_is_not(world: World) -> None:
    one, other = make_job(world.org), make_job(world.org)

    set_urgency(one.pk, world.org, "high", by=world.owner)
    set_urgency(other.pk, world.org, "high", by="model")

    entry = AuditEntry.objects.get(action="job.urgency")
    assert (entry.actor, entry.target) == (world.owner, str(one.pk))
    assert entry.detail == {"old": {"urgency": "medium"}, "new": {"urgency": "high"}}


@pytest.mark.django_db(transaction=True)
def test_a_job_that_a_worker_is_taking_at_this_moment_is_the_workers() -> None:
    org = make_org()
    job = make_job(org)
    with elsewhere() as claim:
        claim.execute("DELETE FROM jobs_ready WHERE job_id = %s", [job.pk])

        assert not set_urgency(job.pk, org, "high", by="model")

    job.refresh_from_db()
    assert job.urgency == "medium"
    assert set_urgency(job.pk, org, "high", by="model")


@pytest.mark.django_db(transaction=True)
def test_workers_hear_of_the_new_place() -> None:
    org = make_org()
    job = make_job(org)
    with elsewhere() as worker:
        worker.execute("COMMIT")
        worker.execute("LISTEN smartqueue_work")
        set_urgency(job.pk, org, "high", by="model")

        (heard,) = worker.notifies(timeout=5, stop_after=1)

    rank = Ready.objects.get().rank
    assert heard.payload.split()[:2] == ["default", repr(rank)]
