"""What a job may wait for, and what it may not; and calls that come twice."""

from typing import Any
from uuid import UUID

import pytest

from jobs.errors import InvalidJob
from jobs.models import Dependency, Job
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from orgs.models import Org
from tests.conftest import World
from tests.factories import make_job
from tests.jobs.queue.acts import enqueue_as, new_job
from tests.jobs.queue.graphs import queued, run, statuses, store
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


# --- what is refused ------------------------------------------------------------------------------------------------


def refusals(org: Org, *new: NewJob) -> dict[int, list[str]]:
    outcomes = enqueue_many(new, org=org, user=None)
    return {
        index: [pointer for pointer, _ in outcome.errors]
        for index, outcome in enumerate(outcomes)
        if isinstance(outcome, InvalidJob)
    }


def test_a_parent_that_is_not_there_is_refused_by_its_place(world: World) -> None:
    foreign, own = make_job(world.rival), make_job(world.org)
    unknown = UUID(int=7)

    found = refusals(
        world.org,
        new_job(after=[own.pk, unknown]),
        new_job(after=[str(foreign.pk)], after_end=[unknown]),
        new_job(after=["later"]),
        new_job(ref="later"),
        new_job(ref="later"),
        new_job(after=["later"]),
    )

    assert found == {0: ["/after/1"], 1: ["/after_end/0", "/after/0"], 2: ["/after/0"], 4: ["/ref"]}
    assert Job.objects.for_org(world.org).filter(status="scheduled").count() == 1
    assert_whole()


def test_a_job_after_a_refused_one_is_refused(world: World) -> None:
    found = refusals(world.org, new_job(ref="a", urgency="odd"), new_job(ref="b", after=["a"]), new_job(after=["b"]))

    assert found == {0: ["/urgency"], 1: ["/after/0"], 2: ["/after/0"]}
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"delay_seconds": 5, "after": ["x"]}, "/after"),
        ({"after": [str(number) for number in range(1_001)]}, "/after"),
        ({"ref": "018f0000-0000-7000-8000-000000000001"}, "/ref"),
        ({"ref": "x" * 65}, "/ref"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(world: World, fields: dict[str, Any], pointer: str) -> None:
    assert refusals(world.org, new_job(**fields)) == {0: [pointer]}


# --- idempotency ----------------------------------------------------------------------------------------------------


def test_a_repeated_call_brings_the_same_graph(world: World) -> None:
    graph = [new_job(ref="a", idempotency_key="a"), new_job(after=["a"], idempotency_key="b")]
    first = store(world.org, *graph)

    again = store(world.org, *graph)

    assert again == first
    assert Dependency.objects.count() == 1
    assert statuses(first) == ["queued", "scheduled"]


def test_a_new_job_may_follow_one_that_its_key_had_brought(world: World) -> None:
    known = enqueue_as(world.org, idempotency_key="a").job_id

    parent, child = store(world.org, new_job(ref="a", idempotency_key="a"), new_job(after=["a", str(known)]))
    run(known)

    assert parent == known
    assert queued() == {child}


def test_a_job_after_one_whose_key_was_reused_is_refused(world: World) -> None:
    enqueue_as(world.org, idempotency_key="a")

    first, second = enqueue_many(
        [new_job(ref="a", idempotency_key="a", urgency="high"), new_job(after=["a"])], org=world.org, user=None
    )

    assert getattr(first, "code", "") == "idempotency_key_reused"
    assert isinstance(second, InvalidJob)
    assert Job.objects.count() == 1


def test_the_same_key_with_other_parents_is_another_body(world: World) -> None:
    parents = [make_job(world.org), make_job(world.org)]
    enqueue(new_job(after=[parents[0].pk], idempotency_key="k"), org=world.org, user=None)

    (outcome,) = enqueue_many([new_job(after=[parents[1].pk], idempotency_key="k")], org=world.org, user=None)

    assert getattr(outcome, "code", "") == "idempotency_key_reused"
