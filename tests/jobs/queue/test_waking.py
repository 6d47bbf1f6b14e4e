"""Submissions at once, and waking workers after them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, transaction
from django.db.models import Min

from jobs.models import Job, Ready
from jobs.processes.listener import Listener
from jobs.queue.enqueue import enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.notify import NEW_WORK, place
from jobs.queue.promote import promote
from jobs.states import Outcome
from tests.concurrency import at_once, elsewhere
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, make_org
from tests.jobs.queue.acts import enqueue_as, new_job
from tests.jobs.queue.whole import assert_whole, make_due

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_one_key_at_once_from_many_makes_one_job() -> None:
    org = make_org()

    outcomes = at_once(*[lambda: enqueue_as(org, idempotency_key="k")] * 8)

    assert len({outcome.job_id for outcome in outcomes}) == 1
    assert sum(outcome.created for outcome in outcomes) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_keys_and_queues_in_other_orders_do_not_deadlock() -> None:
    org = make_org()

    def batch(numbers: range, tag: int) -> Callable[[], Any]:
        jobs = [new_job(idempotency_key=f"k{number}-{tag}", queue=f"q{number}-{tag}") for number in numbers]
        return lambda: enqueue_many(jobs, org=org, user=None)

    for tag in range(3):
        there, back = at_once(batch(range(100), tag), batch(range(99, -1, -1), tag))
        assert {one.job_id for one in there} == {one.job_id for one in back}

    assert Job.objects.count() == 300
    assert_whole()


@pytest.fixture
def heard() -> Any:
    """Hear of new work; call it for what came."""
    listener = Listener()
    listener.listen([NEW_WORK])
    yield listener.received
    listener.close()


@pytest.mark.django_db(transaction=True)
def test_workers_are_woken_after_the_commit_once_a_batch(heard: Any) -> None:
    org = make_org()
    jobs = [new_job(urgency=urgency) for urgency in ("low", "high", "medium", "low")]
    with transaction.atomic():
        enqueue_many(jobs, org=org, user=None)
        within = heard()

    after = eventually(heard)

    assert within == []
    lowest = Ready.objects.aggregate(lowest=Min("rank"))["lowest"]
    assert [(place(word).queue, place(word).lowest_rank) for _, word in after] == [("default", lowest)]


@pytest.mark.django_db(transaction=True)
def test_a_batch_wakes_once_a_queue(heard: Any) -> None:
    enqueue_many([new_job(queue=f"q{number % 3}") for number in range(30)], org=make_org(), user=None)

    after = eventually(heard)

    assert sorted(place(word).queue for _, word in after) == ["q0", "q1", "q2"]


@pytest.mark.django_db(transaction=True)
def test_the_ends_of_a_batch_that_wait_again_wake_once_a_queue(heard: Any) -> None:
    org = make_org()
    enqueue_many([new_job(queue=queue) for queue in ("default", "other") for _ in range(5)], org=org, user=None)
    eventually(heard)
    claims = claim_all() + claim_all("other")

    finish([Ended(one, Outcome.RELEASED) for one in claims], worker_name="w")

    after = eventually(heard)
    assert sorted(place(word).queue for _, word in after) == ["default", "other"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_by_ends_alone(heard: Any) -> None:
    enqueue_many([new_job() for _ in range(3)], org=make_org(), user=None)
    eventually(heard)

    finish([Ended(one, Outcome.DONE) for one in claim_all()], worker_name="w")
    enqueue_many([new_job(queue="after")], org=make_org(), user=None)

    assert [place(word).queue for _, word in eventually(heard)] == ["after"]


@pytest.mark.django_db(transaction=True)
def test_due_jobs_and_resumed_ones_wake_once_a_queue(heard: Any, world: World) -> None:
    enqueue_many([new_job(delay_seconds=60) for _ in range(5)], org=world.org, user=None)
    make_due()

    promote()

    assert [place(word).queue for _, word in eventually(heard)] == ["default"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_for_a_scheduled_job(heard: Any) -> None:
    org = make_org()

    enqueue_as(org, delay_seconds=60)
    enqueue_as(org)

    # What arrived is of the second one only: the channel keeps its order.
    assert len(eventually(heard)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_stored_job_is_reported_stored_when_waking_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise Error("the connection went away after the commit")

    monkeypatch.setattr("jobs.queue.notify.notify", broken)

    found = enqueue_as(make_org())

    assert found.created
    assert Job.objects.filter(pk=found.job_id).exists()


@pytest.mark.django_db(transaction=True)
def test_a_batch_does_not_wait_for_rows_of_others() -> None:
    first = enqueue_as(make_org())
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [first.job_id])
        other.execute("SELECT FROM jobs_ready FOR UPDATE")

        assert enqueue_as(make_org()).created
