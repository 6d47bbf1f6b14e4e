"""While an organisation is suspended or closing nothing of it begins, and afterwards all of it is as it was."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import EVERY, Delivery, Job, Limit, Queue, Ready, ScheduleTick
from jobs.queue.claim import Ask, waiting
from jobs.queue.control import keep_held, pause, replay
from jobs.queue.deliveries import claim_mail
from jobs.queue.enqueue import enqueue_many
from jobs.queue.external import Puller, pull
from jobs.queue.fire import fire
from jobs.queue.limits import Walk, claim_limited
from jobs.queue.promote import promote
from jobs.queue.release import release
from jobs.states import Outcome
from orgs import life
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import Background, at_once, elsewhere
from tests.conftest import World
from tests.factories import (
    WORKER,
    claim_all,
    finish_one,
    make_alert,
    make_dead_letter,
    make_delivery,
    make_job,
    make_webhook,
)
from tests.jobs.delivery.rounds import take
from tests.jobs.queue.acts import new_job, scope_of
from tests.jobs.queue.plans import Explain, plan, plan_for_any
from tests.jobs.queue.test_plans import CLAIM
from tests.jobs.queue.test_schedules import make_schedule, outcomes
from tests.jobs.queue.whole import assert_whole, path_of

pytestmark = pytest.mark.django_db

Act = Callable[[World], Any]


def owners(world: World) -> Scope:
    return Scope(world.owner, world.org, Role.ORG_ADMIN)


def suspend(world: World) -> Org:
    return life.suspend("acme", reason="unpaid", actor=world.platform_admin)


WAYS: dict[str, tuple[Act, Act]] = {
    "suspended": (suspend, lambda world: life.resume("acme", actor=world.platform_admin)),
    "closing": (lambda world: life.close(scope=owners(world)), lambda world: life.restore(scope=owners(world))),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Act, Act]:
    return WAYS[request.param]


def taken() -> set[Any]:
    return {one.job_id for one in claim_all()}


def test_its_jobs_wait_and_those_of_others_do_not(world: World, way: tuple[Act, Act]) -> None:
    halt, go_on = way
    ours, theirs = make_job(world.org).pk, make_job(world.rival).pk

    halt(world)
    # at once, before the leader has marked anything
    assert taken() == {theirs}
    assert not waiting(queues=["default"], types=["python"])
    assert keep_held() == 1
    assert Ready.objects.get().held

    go_on(world)
    assert keep_held() == 1
    assert taken() == {ours}
    assert_whole()


def test_what_comes_meanwhile_waits_too(world: World, way: tuple[Act, Act]) -> None:
    """However it comes: a retry, a replay, a child of what ends, a time that comes; and into a queue that is new."""
    halt, go_on = way
    retried, parent = make_job(world.org, max_attempts=3), make_job(world.org)
    child = make_job(world.org, after=[parent.pk])
    first, second = sorted(claim_all(), key=lambda one: one.job_id == parent.pk)
    due, dead = make_job(world.org, delay_seconds=60), make_dead_letter(world.org)
    scope = owners(world)
    halt(world)

    assert finish_one(first, Outcome.ERROR, retry_seconds=0.0)
    assert finish_one(second)
    Job.objects.filter(pk__in=[due.pk, retried.pk]).update(run_at=Now())
    release()
    promote()
    replay(dead.pk, scope=scope)
    fresh = make_job(world.org, queue="new").pk

    everything = {retried.pk, child.pk, due.pk, dead.pk}
    assert set(Ready.objects.filter(held=True).values_list("job_id", flat=True)) == everything | {fresh}
    assert taken() == set()
    assert claim_all(queue="new") == []
    go_on(world)
    keep_held()
    assert taken() == everything
    assert [one.job_id for one in claim_all(queue="new")] == [fresh]
    assert_whole()


def test_limited_and_external_jobs_wait(world: World, way: tuple[Act, Act]) -> None:
    halt, go_on = way
    Limit.objects.create(org=world.org, scope="type", name="python", max_running=5)
    Limit.objects.create(org=world.org, scope="key", name=EVERY, max_running=5)
    limited = make_job(world.org).pk
    external = {make_job(world.org, type="external", payload={"task": "t"}, limit_key=key).pk for key in (None, "k")}
    puller = Puller(world.org.pk, "w")
    walk = Ask("default", ["python"], 10, WORKER, "w")

    halt(world)
    assert claim_limited(walk, Walk()) == []
    assert pull(puller, queues=["default"], slots=5, lease_seconds=30) == []
    keep_held()

    go_on(world)
    keep_held()
    assert [one.job_id for one in claim_limited(walk, Walk())] == [limited]
    assert {one.job_id for one in pull(puller, queues=["default"], slots=5, lease_seconds=30)} == external


def test_what_runs_may_end(world: World, way: tuple[Act, Act]) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    way[0](world)

    assert finish_one(claimed)
    assert path_of(job.pk)[-1] == "done"


def test_a_queue_that_a_person_paused_stays_paused(world: World, way: tuple[Act, Act]) -> None:
    halt, go_on = way
    free, paused = make_job(world.org).pk, make_job(world.org, queue="quiet").pk
    pause("quiet", scope=scope_of(world), reason="maintenance")
    keep_held()
    halt(world)
    keep_held()

    go_on(world)
    keep_held()

    assert taken() == {free}
    assert claim_all(queue="quiet") == []
    assert Ready.objects.get().job_id == paused
    queue = Queue.objects.get(name="quiet")
    assert (queue.paused, queue.pause_reason, queue.paused_by) == (True, "maintenance", world.owner)


def test_one_that_is_both_goes_on_when_neither_holds_it(world: World) -> None:
    job = make_job(world.org).pk
    life.close(scope=owners(world))
    suspend(world)
    keep_held()

    life.resume("acme", actor=world.platform_admin)
    assert keep_held() == 0
    assert taken() == set()
    life.restore(scope=owners(world))
    keep_held()
    assert taken() == {job}


def test_what_was_left_while_nobody_led_is_held_when_somebody_does(world: World) -> None:
    make_job(world.org, queue="other")
    suspend(world)
    Org.objects.filter(pk=world.org.pk).update(suspended_at=Now() - timedelta(hours=1))

    assert keep_held() == 0
    assert keep_held(everywhere=True) == 1


@pytest.mark.parametrize(("missed", "fired"), [("skip", 0), ("once", 1), ("all", None)])
def test_its_schedules_stand_still_and_then_go_by_their_rule(
    world: World, settings: Settings, way: tuple[Act, Act], missed: str, fired: int | None
) -> None:
    settings.SCHEDULE_GRACE_SECONDS = 0
    halt, go_on = way
    schedule = make_schedule(world.org, due=timedelta(minutes=5.5), missed=missed)
    other = make_schedule(world.rival)
    halt(world)

    fire(7)
    assert set(ScheduleTick.objects.values_list("schedule_id", flat=True)) == {other.pk}

    go_on(world)
    fire(7)
    times = outcomes(schedule)
    assert len(times) >= 5
    assert times.count("fired") == (len(times) if missed == "all" else fired)


def test_what_is_to_be_told_waits(world: World, way: tuple[Act, Act]) -> None:
    halt, go_on = way
    hook = make_delivery(make_webhook(world.org))
    letter = make_delivery(make_alert(world.org))
    theirs = make_delivery(make_webhook(world.rival))
    halt(world)

    assert [one.id for one in take()] == [theirs.pk]
    assert claim_mail() is None
    assert set(Delivery.objects.filter(attempt=0).values_list("pk", flat=True)) == {hook.pk, letter.pk}

    go_on(world)
    assert [one.id for one in take()] == [hook.pk]
    digest = claim_mail()
    assert digest is not None
    assert [item.id for item in digest.items] == [letter.pk]


@pytest.mark.django_db(transaction=True)
def test_a_submit_in_flight_while_it_is_suspended_is_held(world: World) -> None:
    """Its rows become visible after the suspension was committed, in a queue that is new and is not marked."""
    stored, suspended = threading.Event(), threading.Event()

    def submit() -> None:
        with transaction.atomic():
            enqueue_many([new_job(queue="new"), new_job()], org=world.org, user=None)
            stored.set()
            assert suspended.wait(20)

    in_flight = Background(submit)
    assert stored.wait(20)
    suspend(world)
    suspended.set()
    in_flight.result()

    assert Ready.objects.filter(held=False).count() == 2
    assert taken() == set()
    assert claim_all(queue="new") == []
    assert keep_held() == 2
    life.resume("acme", actor=world.platform_admin)
    keep_held()
    assert (len(claim_all()), len(claim_all(queue="new"))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_whatever_the_order_nothing_begins_after_a_suspension(world: World) -> None:
    for turn in range(8):
        name = f"queue-{turn}"
        outcomes = at_once(
            lambda: suspend(world),
            *[lambda name=name: enqueue_many([new_job(queue=name)] * 2, org=world.org, user=None) for _ in range(3)],
        )
        assert not [one for one in outcomes if isinstance(one, Exception)]
        assert claim_all(queue=name) == []
        assert Ready.objects.filter(queue=name).count() == 6
        life.resume("acme", actor=world.platform_admin)
        keep_held()
        assert len(claim_all(queue=name)) == 6


@pytest.mark.django_db(transaction=True)
def test_nobody_who_submits_waits_for_a_suspension_that_is_being_written(world: World) -> None:
    with elsewhere() as session:
        session.execute("UPDATE orgs_org SET suspended_at = now() WHERE slug = 'acme'")
        job = make_job(world.org).pk
        assert not Ready.objects.get(job_id=job).held
        session.execute("COMMIT")

    assert taken() == set()


@pytest.mark.parametrize("explained", [plan, plan_for_any])
@pytest.mark.parametrize("halted", [0, 3])
def test_a_claim_looks_up_who_is_held_back_among_many_organisations(
    world: World, explained: Explain, halted: int
) -> None:
    Org.objects.bulk_create([Org(slug=f"o{number}", name="o") for number in range(20_000)])
    Org.objects.filter(slug__in=[f"o{number}" for number in range(halted)]).update(suspended_at=Now())
    make_job(world.org)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orgs_org")

    found = [node for node in explained("claim", **CLAIM) if node.get("Relation Name") == "orgs_org"]

    assert {node["Node Type"] for node in found} <= {"Index Scan", "Index Only Scan"}
    (look,) = [node for node in found if node.get("Index Name") == "org_halted_idx"]
    assert (look["Actual Rows"] * look["Actual Loops"], look["Actual Loops"]) == (halted, 1)
    for name, params in (("waiting", {"queues": ["default"], "types": ["python"]}), ("due_schedules", {"batch": 9})):
        found = [node for node in explained(name, **params) if node.get("Relation Name") == "orgs_org"]
        assert {node["Node Type"] for node in found} <= {"Index Scan", "Index Only Scan"}
