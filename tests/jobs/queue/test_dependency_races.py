"""Ends, enqueues and releases at once, each on a connection of its own; and a death between an end and its release."""

from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from jobs.models import Dependency, Ending, Job, Ready, Transition
from jobs.processes.scheduler import Scheduler
from jobs.queue import sql
from jobs.queue.callbacks import sweep
from jobs.queue.enqueue import enqueue_many
from jobs.queue.finish import Ended, finish, finish_params
from jobs.queue.release import release
from jobs.states import Outcome
from tests.concurrency import Background, at_once, waiting_for_locks
from tests.eventually import eventually
from tests.factories import claim_all, finish_one, make_job, make_org
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.graphs import fail, queued, release_all, statuses, store
from tests.jobs.queue.whole import assert_whole, path_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_end_that_meets_the_enqueue_of_a_child_waits_and_releases_it() -> None:
    org = make_org()
    make_job(org)
    (claimed,) = claim_all()
    with transaction.atomic():
        (child,) = store(org, new_job(after=[claimed.job_id]))
        end = Background(lambda: finish_one(claimed))
        eventually(lambda: waiting_for_locks() == 1)
        assert statuses([child]) == ["scheduled"]

    assert end.result() is True

    assert queued() == {child}
    assert not Ending.objects.exists()
    assert_whole()


def test_an_enqueue_that_meets_the_end_of_the_parent_sees_it() -> None:
    org = make_org()
    make_job(org)
    (claimed,) = claim_all()
    with transaction.atomic():
        assert finish_one(claimed)
        enqueue = Background(lambda: store(org, new_job(after=[claimed.job_id])))
        eventually(lambda: waiting_for_locks() == 1)

    (child,) = enqueue.result()

    assert path_of(child) == ["queued"]
    assert_whole()


def test_no_child_is_forgotten_whichever_comes_first() -> None:
    org = make_org()
    for _ in range(15):
        parent = make_job(org)
        claimed = next(one for one in claim_all() if one.job_id == parent.pk)

        results = at_once(
            lambda claimed=claimed: finish_one(claimed),
            *[lambda parent=parent: store(org, new_job(after=[parent.pk])) for _ in range(3)],
        )

        assert results[0] is True
        children = {job_id for stored in results[1:] for job_id in stored}
        assert children <= queued()
    assert not Dependency.objects.exists()
    assert not Ending.objects.exists()
    assert_whole()


def test_releases_at_once_queue_each_child_once() -> None:
    """Each child has all the parents, so the releases meet at every one of them."""
    org = make_org()
    parents = store(org, *[new_job() for _ in range(8)])
    children = store(org, *[new_job(after=parents) for _ in range(60)])
    ends = [Ended(one, Outcome.DONE) for one in claim_all()]
    sql.rows("finish", **finish_params(ends, "tester-1"))

    results = at_once(*[lambda: [release(batch=3) for _ in range(40)]] * 4)

    assert not [outcome for outcome in results if isinstance(outcome, Exception)]
    release_all()
    assert queued() == set(children)
    assert Transition.objects.filter(job_id__in=children, to_status="queued").count() == 60
    assert Job.objects.filter(pk__in=children, waiting_on=0).count() == 60
    assert not Dependency.objects.exists()
    assert_whole()


def test_ends_of_all_parents_at_once_queue_the_child_once() -> None:
    org = make_org()
    parents = store(org, *[new_job() for _ in range(6)])
    (child,) = store(org, new_job(after=parents))
    claims = claim_all()

    at_once(*[lambda one=one: finish_one(one) for one in claims])

    sweep()
    assert path_of(child) == ["scheduled", "queued"]
    assert Ready.objects.count() == 1
    assert_whole()


def test_calls_with_the_same_parents_the_other_way_round_do_not_block_each_other() -> None:
    org = make_org()
    parents = store(org, *[new_job() for _ in range(20)])

    results = at_once(
        *[lambda turned=turned: store(org, new_job(after=parents[::turned])) for turned in (1, -1, 1, -1)]
    )

    assert all(isinstance(stored, list) for stored in results), results
    assert Dependency.objects.count() == 80


def test_what_a_worker_left_undone_when_it_died_is_done_by_the_leader() -> None:
    org = make_org()
    a, b = store(org, new_job(), new_job())
    child, other = store(org, new_job(after=[a]), new_job(after=[b]))
    claims = {one.job_id: one for one in claim_all()}
    # the statement of an end, and nothing after it
    ends = [Ended(claims[a], Outcome.DONE), Ended(claims[b], Outcome.ERROR, error_type="E", permanent=True)]
    sql.rows("finish", **finish_params(ends, "tester-1"))
    assert statuses([child, other]) == ["scheduled", "scheduled"]

    with closing(Scheduler()) as scheduler:
        (chore,) = [chore for chore in scheduler.chores if chore.name == "release dependents"]
        while chore.run():
            pass

    assert statuses([child, other]) == ["queued", "cancelled"]
    assert_whole()


def test_an_end_releases_what_waits_without_the_leader() -> None:
    org = make_org()
    jobs = store(org, new_job(ref="a"), new_job(after=["a"]), new_job(ref="b", after_end=["a"]), new_job(after=["b"]))

    finish_one(claim_all()[0])

    assert queued() == {jobs[1], jobs[2]}


def test_a_release_that_fails_leaves_the_end_written(monkeypatch: pytest.MonkeyPatch) -> None:
    org = make_org()
    parent, child = store(org, new_job(ref="a"), new_job(after=["a"]))
    (claimed,) = claim_all()
    original = sql.run

    def broken(name: str, **params: Any) -> list[sql.Row]:
        if name == "release":
            raise RuntimeError("no")
        return original(name, **params)

    monkeypatch.setattr(sql, "run", broken)

    settled = finish([Ended(claimed, Outcome.DONE)], worker_name="tester-1")

    monkeypatch.undo()
    assert [one.job_id for one in settled] == [parent]
    assert statuses([parent, child]) == ["done", "scheduled"]
    sweep()
    assert statuses([child]) == ["queued"]


def test_a_long_chain_falls_with_its_head() -> None:
    org = make_org()
    chain = store(org, new_job(ref="0"), *[new_job(ref=str(n), after=[str(n - 1)]) for n in range(1, 40)])

    fail(chain[0])

    assert statuses(chain) == ["failed"] + ["cancelled"] * 39
    assert_whole()


def test_a_refused_call_locks_nothing_for_long() -> None:
    org = make_org()
    make_job(org)
    (claimed,) = claim_all()

    enqueue_many([new_job(after=[claimed.job_id, UUID(int=1)])], org=org, user=None)

    assert finish_one(claimed)
    assert not Job.objects.filter(has_dependents=True).exists()
