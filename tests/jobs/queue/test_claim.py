"""Taking queued jobs for a worker."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from jobs.models import Job, Lease, Queue, Ready, Transition
from jobs.queue.claim import Claimed, busy_queues, claim, waiting
from jobs.queue.control import pause
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import at_once, elsewhere
from tests.conftest import World
from tests.factories import WORKER, claim_all, finish_one, make_job, make_org
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

SHELL = {"type": "shell", "payload": {"argv": ["/bin/echo", "hi"]}}


def claim_of(*types: str, slots: int = 100, queue: str = "default", worker: UUID = WORKER) -> list[Claimed]:
    return claim(queue=queue, types=types, slots=slots, worker_id=worker, worker_name="tester-1")


def test_a_claim_leases_the_job_with_all_that_its_handler_needs(world: World) -> None:
    job = make_job(world.org, world.operator, name="sum", timeout_seconds=7, max_attempts=2)

    (claimed,) = claim_all()

    lease = Lease.objects.annotate(now=Now()).get()
    assert (claimed.job_id, claimed.attempt, claimed.name, claimed.payload) == (job.pk, 1, "sum", job.payload)
    assert (claimed.timeout_seconds, claimed.max_attempts, claimed.attempt_limit) == (7, 2, 2)
    assert (claimed.org, claimed.org_id) == ("acme", world.org.pk)
    assert (list(claimed.org_settings["shell_programs"]), claimed.correlation_id) == (
        ["/bin/echo", "/bin/sleep"],
        job.correlation_id,
    )
    assert (lease.token, lease.worker_id, lease.worker_name, lease.attempt) == (claimed.token, WORKER, "tester-1", 1)
    assert 0 < (lease.expires_at - lease.now).total_seconds() <= settings.LEASE_SECONDS
    assert list(Transition.objects.filter(job_id=job.pk).values_list("to_status", "actor")) == [
        ("queued", "system" if job.created_by is None else "user:operator"),
        ("running", "worker:tester-1"),
    ]
    assert_whole()


def test_the_lowest_rank_is_taken_first_over_all_types(world: World) -> None:
    jobs = [make_job(world.org, **fields) for fields in ({}, SHELL, {}, SHELL, {})]
    for rank, number in enumerate([3, 0, 4, 1, 2]):
        Ready.objects.filter(job_id=jobs[number].pk).update(rank=rank)

    taken = [claim_of("python", "shell", slots=1)[0].job_id for _ in jobs]

    assert taken == [jobs[number].pk for number in [3, 0, 4, 1, 2]]


def test_urgent_and_short_jobs_pass_those_queued_with_them(world: World) -> None:
    low, medium, high = (make_job(world.org, urgency=urgency) for urgency in ("low", "medium", "high"))

    assert [claim_all(slots=1)[0].job_id for _ in range(3)] == [high.pk, medium.pk, low.pk]


def test_no_more_than_the_slots_are_taken(world: World) -> None:
    for _ in range(4):
        make_job(world.org)
        make_job(world.org, **SHELL)

    assert len(claim_of("python", "shell", slots=3)) == 3
    assert Ready.objects.count() == 5


def test_only_the_served_queue_and_types_are_taken(world: World) -> None:
    make_job(world.org, queue="other")
    make_job(world.org, **SHELL)
    mine = make_job(world.org)

    assert [one.job_id for one in claim_of("python", "http")] == [mine.pk]


def test_a_type_named_twice_takes_no_slot_of_its_own(world: World) -> None:
    for _ in range(3):
        make_job(world.org)

    assert len(claim_of("python", "python", slots=2)) == 2


def test_a_great_backlog_of_one_type_hides_none_of_another(world: World) -> None:
    slow = [NewJob(type="shell", payload=SHELL["payload"], urgency="high")] * 500
    enqueue_many(slow, org=world.org, user=None)
    quick = make_job(world.org, urgency="low")

    assert [one.job_id for one in claim_of("python")] == [quick.pk]


def test_attempts_are_numbered_on(world: World) -> None:
    make_job(world.org)

    numbers = []
    for _ in range(3):
        (claimed,) = claim_all()
        numbers.append(claimed.attempt)
        finish_one(claimed, "released")

    assert numbers == [1, 2, 3]
    assert_whole()


def test_each_claim_has_a_token_of_its_own(world: World) -> None:
    for _ in range(20):
        make_job(world.org)

    assert len({one.token for one in claim_all()}) == 20


def test_a_paused_queue_gives_nothing_even_before_its_jobs_are_marked(world: World) -> None:
    make_job(world.org)
    others = make_job(world.rival)
    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
    assert not Ready.objects.filter(held=True).exists()

    assert [one.job_id for one in claim_all()] == [others.pk]


def test_a_claim_never_waits_for_rows_of_another(world: World) -> None:
    assert claim_all() == []
    assert claim_of() == []


@pytest.mark.django_db(transaction=True)
def test_rows_locked_by_another_worker_are_skipped() -> None:
    org = make_org()
    first, second = make_job(org), make_job(org)
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_ready WHERE job_id = %s FOR UPDATE", [first.pk])

        assert [one.job_id for one in claim_all()] == [second.pk]


@pytest.mark.django_db(transaction=True)
def test_two_open_claims_share_the_jobs_and_none_is_taken_twice() -> None:
    org = make_org()
    for _ in range(5):
        make_job(org)
    with transaction.atomic():
        mine = claim_all(slots=2)

        (theirs,) = at_once(lambda: claim_all(slots=100, worker=uuid4()))

    assert (len(mine), len(theirs)) == (2, 3)
    assert not {one.job_id for one in mine} & {one.job_id for one in theirs}
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_take_each_job_once() -> None:
    org = make_org()
    enqueue_many([NewJob(type="python", payload={"task": "demo.fail_always"})] * 300, org=org, user=None)

    def work() -> list[UUID]:
        worker, taken = uuid4(), []
        while waiting(queues=["default"], types=["python"]):
            taken += [one.job_id for one in claim_of("python", slots=3, worker=worker)]
        return taken

    by_worker: list[Any] = at_once(*[work] * 6)

    times = Counter(job_id for taken in by_worker for job_id in taken)
    assert len(times) == 300
    assert set(times.values()) == {1}
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_what_is_hidden_by_the_locks_of_another_claim_is_seen_to_be_waiting() -> None:
    make_job(make_org())
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_ready FOR UPDATE")

        assert claim_all() == []
        assert waiting(queues=["default"], types=["python"])


def test_nothing_waits_in_other_queues_types_or_behind_a_pause(world: World) -> None:
    make_job(world.org)

    assert waiting(queues=["other", "default"], types=["shell", "python"])
    assert not waiting(queues=["other"], types=["python"])
    assert not waiting(queues=["default"], types=["shell"])
    Queue.objects.update(paused_at=Now())
    assert not waiting(queues=["default"], types=["python"])


def test_busy_queues_are_those_where_something_waits(world: World) -> None:
    for queue in ("b", "a", "c", "a"):
        make_job(world.org, queue=queue)
    make_job(world.org, queue="later", delay_seconds=60)
    claim_all(queue="c")
    make_job(world.org, queue="d")
    Ready.objects.filter(queue="d").update(held=True)

    assert busy_queues() == ["a", "b"]
    assert Queue.objects.count() == 5


def test_a_place_in_the_queue_without_its_job_is_cleared_away(world: World) -> None:
    gone = make_job(world.org)
    Job.objects.filter(pk=gone.pk).delete()
    job = make_job(world.org)

    assert [one.job_id for one in claim_all()] == [job.pk]
