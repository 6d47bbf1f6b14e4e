"""Jobs that wait for others, for tests: store them, run some, release the rest."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from jobs.models import Job, Ready
from jobs.queue.enqueue import Enqueued, NewJob, enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.release import release
from jobs.states import Outcome
from orgs.models import Org
from tests.factories import claim_all


def store(org: Org, *new: NewJob) -> list[UUID]:
    outcomes = enqueue_many(new, org=org, user=None)
    assert all(isinstance(outcome, Enqueued) for outcome in outcomes), outcomes
    return [outcome.job_id for outcome in outcomes if isinstance(outcome, Enqueued)]


def run(*job_ids: UUID, outcome: Outcome = Outcome.DONE, **fields: Any) -> None:
    """Run these, which must wait in the queue, and release what waits for them."""
    claims = [one for one in claim_all() if one.job_id in job_ids]
    assert {one.job_id for one in claims} == set(job_ids)
    finish([Ended(one, outcome, **fields) for one in claims], worker_name="tester-1")
    release_all()


def fail(*job_ids: UUID) -> None:
    run(*job_ids, outcome=Outcome.ERROR, error_type="ValueError", permanent=True)


def release_all(batch: int = 1_000) -> int:
    """Work off all there is, as the leader does; how many statements it took."""
    for count in range(1, 100):
        if not release(batch=batch).more:
            return count
    raise AssertionError("it does not come to an end")


def statuses(job_ids: Sequence[UUID]) -> list[str]:
    found = dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "status"))
    return [found[job_id] for job_id in job_ids]


def queued() -> set[UUID]:
    return set(Ready.objects.values_list("job_id", flat=True))
