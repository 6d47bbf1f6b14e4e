"""Repeated submissions of batches: one key, one batch, for a day."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from jobs.errors import BatchRefused, KeyReused
from jobs.models import Batch, Job, Ready, Transition
from jobs.queue.batches import Callback, EnqueuedBatch, enqueue_batch
from jobs.queue.upkeep import expire_keys
from orgs.models import Org
from tests.concurrency import Background, at_once, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, finish_one, make_org
from tests.jobs.queue.acts import enqueue_as, new_job
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

AT_ONCE = 20


def make_batch(org: Org, key: str | None = "k", **fields: Any) -> EnqueuedBatch:
    jobs = [new_job(ref="a", title="1"), new_job(ref="b", title="2"), new_job(after=["a"], title="3")]
    fields = {"jobs": jobs, "callback": Callback(new_job(name="report")), "name": "nightly", **fields}
    return enqueue_batch(**fields, org=org, user=None, idempotency_key=key)


def age_all(**ago: float) -> None:
    Batch.objects.update(created_at=Now() - timedelta(**ago))


def test_a_repeated_key_gives_the_batch_that_is_there(world: World) -> None:
    first = make_batch(world.org)

    again = make_batch(world.org)

    assert first.created
    assert again == EnqueuedBatch(first.batch_id, first.job_ids, created=False)
    assert Batch.objects.get().idempotency_key == "k"
    assert Job.objects.count() == 3
    assert_whole()


def test_without_a_key_each_submit_is_a_batch(world: World) -> None:
    first, second = make_batch(world.org, None), make_batch(world.org, None)

    assert first.created
    assert second.created
    assert Batch.objects.filter(idempotency_key=None, fingerprint=None).count() == 2


def test_a_repeat_gives_a_thousand_jobs_in_the_order_sent(world: World) -> None:
    jobs = [new_job(title=str(number)) for number in range(1_000)]
    first = make_batch(world.org, jobs=jobs)

    again = make_batch(world.org, jobs=jobs)

    titles = dict(Job.objects.values_list("pk", "title"))
    assert [titles[job_id] for job_id in again.job_ids] == [job.title for job in jobs]
    assert again.job_ids == first.job_ids


def test_a_repeat_finds_the_batch_however_far_it_is_and_without_what_was_deleted(world: World) -> None:
    first = make_batch(world.org)
    for claimed in claim_all():
        finish_one(claimed)
    Job.objects.filter(pk=first.job_ids[0]).delete()

    again = make_batch(world.org)

    assert (again.batch_id, again.job_ids, again.created) == (first.batch_id, first.job_ids[1:], False)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"callback": None},
        {"callback": Callback(new_job(name="other"))},
        {"callback": Callback(new_job(name="report"), Batch.SUCCESS)},
        {"jobs": [new_job()]},
        {"jobs": [new_job(ref="a", title="1"), new_job(ref="b", title="2"), new_job(after=["b"], title="3")]},
        # the same words, but the third waits for another
        {"jobs": [new_job(ref="b", title="1"), new_job(ref="a", title="2"), new_job(after=["a"], title="3")]},
        {"jobs": [new_job(ref="b", title="2"), new_job(ref="a", title="1"), new_job(after=["a"], title="3")]},
    ],
)
def test_a_key_used_for_something_else_is_refused(world: World, change: dict[str, Any]) -> None:
    make_batch(world.org)

    with pytest.raises(KeyReused):
        make_batch(world.org, **change)

    assert Batch.objects.count() == 1
    assert Job.objects.count() == 3


def test_keys_of_two_organisations_and_of_jobs_are_not_alike(world: World) -> None:
    enqueue_as(world.org, idempotency_key="k")

    assert make_batch(world.org).created
    assert make_batch(world.rival).created


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "\ud800"])
def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    with pytest.raises(BatchRefused) as caught:
        make_batch(world.org, key)

    ((pointer, error),) = caught.value.errors
    assert (pointer, error.errors[0][0]) == ("", "/idempotency_key")  # type: ignore[attr-defined]
    assert not Batch.objects.exists()


def test_a_batch_that_was_refused_leaves_its_key_free(world: World) -> None:
    with pytest.raises(BatchRefused):
        make_batch(world.org, jobs=[new_job(after=["nobody"])])

    assert make_batch(world.org).created


# --- its day --------------------------------------------------------------------------------------------------------


def test_a_key_may_be_used_again_after_its_day_by_the_database_clock(world: World) -> None:
    first = make_batch(world.org)
    age_all(hours=23, minutes=59)
    assert not expire_keys()
    assert not make_batch(world.org).created

    age_all(hours=24, seconds=5)
    assert not expire_keys()

    assert make_batch(world.org, name="other").created
    assert Batch.objects.get(pk=first.batch_id).idempotency_key is None


def test_keys_end_in_bounded_batches(world: World) -> None:
    for number in range(3):
        make_batch(world.org, f"k{number}")
    enqueue_as(world.org, idempotency_key="young")
    age_all(hours=25)

    assert [expire_keys(batch=2), expire_keys(batch=2)] == [True, False]

    assert not Batch.objects.exclude(idempotency_key=None).exists()
    assert Job.objects.exclude(idempotency_key=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_batch_under_another_hand_keeps_its_key_until_later() -> None:
    made = make_batch(make_org())
    age_all(hours=25)
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_batch WHERE id = %s FOR UPDATE", [made.batch_id])
        expire_keys()
    assert Batch.objects.get().idempotency_key == "k"

    expire_keys()

    assert Batch.objects.get().idempotency_key is None


# --- races ----------------------------------------------------------------------------------------------------------


def callers(org: Org, number: int, **fields: Any) -> list[Callable[[], EnqueuedBatch]]:
    return [lambda: make_batch(org, **fields)] * number


@pytest.mark.django_db(transaction=True)
def test_one_key_sent_by_many_at_once_is_one_batch() -> None:
    outcomes = at_once(*callers(make_org(), AT_ONCE))

    batch = Batch.objects.get()
    assert sorted(outcome.created for outcome in outcomes) == [False] * (AT_ONCE - 1) + [True]
    assert {outcome.batch_id for outcome in outcomes} == {batch.pk}
    assert len({tuple(outcome.job_ids) for outcome in outcomes}) == 1
    assert Job.objects.count() == Transition.objects.count() == 3
    assert Ready.objects.count() == 2
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_one_key_with_two_bodies_is_one_batch_and_a_refusal_for_the_other() -> None:
    org = make_org()

    outcomes = at_once(*callers(org, AT_ONCE // 2, name="one"), *callers(org, AT_ONCE // 2, name="two"))

    found = [outcome for outcome in outcomes if isinstance(outcome, EnqueuedBatch)]
    assert sum(outcome.created for outcome in found) == 1
    assert len(found) == sum(isinstance(outcome, KeyReused) for outcome in outcomes) == AT_ONCE // 2
    assert Batch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first_commits", [True, False])
def test_the_second_with_a_key_waits_for_the_first(first_commits: bool) -> None:
    org = make_org()
    with transaction.atomic():
        first = make_batch(org)
        second = Background(lambda: make_batch(org))
        eventually(lambda: waiting_for_locks() == 1)
        transaction.set_rollback(not first_commits)

    outcome = second.result()

    assert outcome.created is not first_commits
    assert (outcome.batch_id == first.batch_id) is first_commits
    assert Batch.objects.count() == 1
    assert Job.objects.count() == 3
