"""How much an organisation may have at once: refused in the transaction of the act, and exact."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from jobs.errors import NoRoom, QueueError, QueueFull, SchedulesFull
from jobs.files import Source
from jobs.models import Artefact, Job, PayloadCount, PayloadDelta, Schedule, StatusDelta
from jobs.queue import artefacts, quotas, schedules
from jobs.queue.batches import Callback, enqueue_batch
from jobs.queue.callbacks import call_back, sweep
from jobs.queue.control import cancel, replay
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from jobs.queue.upkeep import fold_counts, fold_payloads
from jobs.states import Outcome
from orgs.models import Org
from orgs.scope import find_scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

ADD = NewJob("python", {"task": "demo.add", "kwargs": {"a": 1, "b": 2}})
BYTES = len('{"kwargs":{"a":1,"b":2},"task":"demo.add"}')


def add(org: Org, **fields: Any) -> Any:
    return enqueue(NewJob(**{"type": ADD.type, "payload": ADD.payload, **fields}), org=org, user=None)


def limited(org: Org, **quota: int) -> Org:
    Org.objects.filter(pk=org.pk).update(**quota)
    org.refresh_from_db()
    return org


def use_of(org: Org) -> dict[str, int]:
    return {one.quota: one.used for one in quotas.usage(org)}


def truth(org: Org) -> dict[str, int]:
    """Counted row by row."""
    jobs = Job.objects.for_org(org).with_state()
    waiting = [job for job in jobs if job.state in {"scheduled", "queued"}]
    open_jobs = [job for job in jobs if job.state in {"scheduled", "queued", "running"}]
    return {"waiting_jobs": len(waiting), "payload_bytes": sum(job.payload_bytes for job in open_jobs)}


def assert_true(org: Org) -> None:
    use = use_of(org)
    assert {name: use[name] for name in ("waiting_jobs", "payload_bytes")} == truth(org)


# --- What is used -----------------------------------------------------------------------------------------------


def test_what_waits_is_known_exactly_through_the_whole_life_of_jobs(world: World) -> None:
    org, scope = world.org, find_scope(world.owner, "acme")
    assert use_of(org) == {"waiting_jobs": 0, "payload_bytes": 0, "schedules": 0, "artefact_bytes": 0}

    first, later = make_job(org), make_job(org, delay_seconds=60)
    enqueue_many([ADD] * 5, org=org, user=None)
    assert_true(org)
    assert use_of(org)["waiting_jobs"] == 7
    claimed = claim_all(slots=3)
    assert_true(org)
    finish_one(claimed[0])
    finish_one(claimed[1], Outcome.ERROR)
    finish_one(claimed[2], Outcome.ERROR, permanent=True)
    assert_true(org)
    cancel(later.pk, scope=scope)
    replay(claimed[2].job_id, scope=scope, payload={"task": "demo.add", "kwargs": {"a": 1_000_000, "b": 2}})
    assert_true(org)
    assert (fold_counts(), fold_payloads()) == (False, False)
    assert not StatusDelta.objects.exists()
    assert not PayloadDelta.objects.exists()
    assert_true(org)
    for one in claim_all():
        finish_one(one)
    assert_true(org)
    assert first.payload_bytes == BYTES
    assert use_of(world.rival) == {"waiting_jobs": 0, "payload_bytes": 0, "schedules": 0, "artefact_bytes": 0}


def test_an_end_leaves_nothing_in_the_sums(world: World) -> None:
    make_done(world.org)
    make_dead_letter(world.org)
    fold_payloads()

    assert use_of(world.org)["payload_bytes"] == 0
    assert list(PayloadCount.objects.values_list("payload_bytes", flat=True)) == [0]


# --- Waiting jobs -----------------------------------------------------------------------------------------------


def test_the_job_beyond_the_quota_is_refused_and_there_is_room_again_when_one_starts(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=2)
    add(org)
    add(org, delay_seconds=600)

    with pytest.raises(QueueFull) as refused:
        add(org)

    assert refused.value.members == {"quota": "waiting_jobs", "limit": 2, "used": 2}
    assert "may have 2 waiting jobs and has 2" in refused.value.detail
    assert Job.objects.count() == 2
    assert add(world.rival).created
    claim_all(slots=1)
    assert add(org).created


def test_scheduled_jobs_and_those_that_wait_for_others_count(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=3)
    parent = add(org)
    add(org, after=[parent.job_id])
    add(org, delay_seconds=60)

    with pytest.raises(QueueFull):
        add(org, after=[parent.job_id])


def test_payloads_count_until_their_jobs_end(world: World) -> None:
    org = limited(world.org, max_payload_bytes=2 * BYTES)
    add(org)
    add(org)

    with pytest.raises(QueueFull) as refused:
        add(org)

    assert refused.value.members == {"quota": "payload_bytes", "limit": 2 * BYTES, "used": 2 * BYTES}
    (claimed,) = claim_all(slots=1)
    with pytest.raises(QueueFull):
        add(org)
    finish_one(claimed)
    assert add(org).created


def test_a_repeat_needs_no_room(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=1)
    first = add(org, idempotency_key="k")

    again = add(org, idempotency_key="k")

    assert (again.job_id, again.created) == (first.job_id, False)
    outcomes = enqueue_many(
        [NewJob(ADD.type, ADD.payload, idempotency_key="k"), NewJob(ADD.type, ADD.payload, idempotency_key="l")],
        org=org,
        user=None,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["Enqueued", "QueueFull"]


def test_of_many_as_many_are_stored_as_there_is_room_for_the_first_first(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=5)
    add(org)

    outcomes = enqueue_many([ADD] * 6 + [NewJob("nonsense")], org=org, user=None)

    assert [isinstance(outcome, QueueFull) for outcome in outcomes] == [False] * 4 + [True] * 2 + [False]
    assert Job.objects.count() == 5


def test_a_job_that_names_one_for_which_there_is_no_room_is_refused_too(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=2)

    outcomes = enqueue_many(
        [
            NewJob(ADD.type, ADD.payload, ref="a"),
            NewJob(ADD.type, ADD.payload, ref="b"),
            NewJob(ADD.type, ADD.payload, ref="c"),
            NewJob(ADD.type, ADD.payload, after=["c"]),
        ],
        org=org,
        user=None,
    )

    assert [isinstance(outcome, QueueError) for outcome in outcomes] == [False, False, True, True]
    assert Job.objects.count() == 2


def test_a_batch_is_stored_whole_or_not_at_all(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=3)

    with pytest.raises(QueueFull):
        enqueue_batch([ADD] * 4, org=org, user=None)

    assert not Job.objects.exists()
    assert len(enqueue_batch([ADD] * 3, org=org, user=None).job_ids) == 3


def test_a_callback_that_was_promised_comes_without_room(world: World) -> None:
    org = limited(world.org, max_waiting_jobs=1)
    batch = enqueue_batch([ADD], org=org, user=None, callback=Callback(ADD))
    (claimed,) = claim_all()
    add(org)

    finish_one(claimed)
    while sweep() or call_back():
        pass

    assert Job.objects.filter(batch_id=batch.batch_id).count() == 1
    assert Job.objects.count() == 3


def test_the_quota_of_the_deployment_holds_where_none_is_set_and_none_may_wait_at_0(
    world: World, settings: Settings
) -> None:
    settings.WAITING_MAX_JOBS = 1
    add(world.org)
    with pytest.raises(QueueFull):
        add(world.org)

    assert add(limited(world.org, max_waiting_jobs=2)).created
    with pytest.raises(QueueFull):
        add(limited(world.rival, max_waiting_jobs=0))


def test_a_quota_that_is_lowered_takes_nothing_away(world: World) -> None:
    add(world.org)
    add(world.org)
    limited(world.org, max_waiting_jobs=1)

    with pytest.raises(QueueFull) as refused:
        add(world.org)

    assert refused.value.members["used"] == 2
    assert Job.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_those_at_once_just_as_many_are_stored_as_there_is_room_for() -> None:
    org = Org.objects.create(slug="acme", name="Acme", max_waiting_jobs=20)

    def submit() -> list[bool]:
        return [tried(org) for _ in range(6)]

    def submit_many() -> list[bool]:
        return [not isinstance(one, QueueError) for one in enqueue_many([ADD] * 6, org=org, user=None)]

    outcomes = at_once(submit, submit_many, submit, submit_many, submit, submit)

    assert Counter(stored for outcome in outcomes for stored in outcome) == {True: 20, False: 16}
    assert Job.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_of_payloads_at_once_no_more_bytes_are_stored_than_may_be() -> None:
    org = Org.objects.create(slug="acme", name="Acme", max_payload_bytes=10 * BYTES + 1)

    outcomes = at_once(*[lambda: [tried(org) for _ in range(5)]] * 4)

    assert Counter(stored for outcome in outcomes for stored in outcome) == {True: 10, False: 10}
    assert_true(org)


def tried(org: Org) -> bool:
    try:
        return bool(add(org).created)
    except QueueFull:
        return False


@pytest.mark.django_db(transaction=True)
def test_far_from_the_quota_nobody_waits_for_anybody(settings: Settings) -> None:
    """A submit in a transaction that goes on for long holds up the others only where the last places are at stake."""
    org = Org.objects.create(slug="acme", name="Acme", max_waiting_jobs=1_000)
    settings.QUOTA_MARGIN_JOBS = settings.QUOTA_MARGIN_BYTES = 100
    add(org)

    with transaction.atomic():
        add(org)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            assert cursor.fetchone() == (0,)
        assert at_once(lambda: tried(org)) == [True]
        limited(org, max_waiting_jobs=50)
        add(org)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            assert cursor.fetchone() == (1,)


# --- Schedules and files ----------------------------------------------------------------------------------------

HOURLY: dict[str, Any] = {
    "cron": "@hourly",
    "timezone": "UTC",
    "missed": "once",
    "is_paused": False,
    "job": {"type": ADD.type, "payload": ADD.payload},
}


@pytest.mark.django_db(transaction=True)
def test_of_schedules_at_once_as_many_are_kept_as_there_may_be(world: World) -> None:
    limited(world.org, max_schedules=2)
    scope = find_scope(world.owner, "acme")

    def make(name: str) -> bool:
        try:
            schedules.create(scope=scope, name=name, **HOURLY)
        except SchedulesFull:
            return False
        return True

    made = at_once(*[lambda name=name: make(name) for name in "abcde"])

    assert sorted(made) == [False] * 3 + [True] * 2
    assert Schedule.objects.count() == 2


class Slow:
    """Bytes of which the last come when all senders have been let begin."""

    def __init__(self, barrier: Any, size: int) -> None:
        self.barrier, self.pieces = barrier, [b"x" * size, b""]

    def read(self, size: int = -1, /) -> bytes:
        if len(self.pieces) == 1:
            self.barrier.wait(20)
        return self.pieces.pop(0)


@pytest.mark.django_db(transaction=True)
def test_of_files_at_once_no_more_bytes_are_kept_than_may_be(world: World, settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    limited(world.org, max_artefact_bytes=250)
    scope = find_scope(world.owner, "acme")
    barrier = threading.Barrier(4)

    def send() -> bool:
        source: Source = Slow(barrier, 100)
        try:
            artefacts.send(source, name="a.csv", content_type="text/csv", scope=scope)
        except NoRoom:
            return False
        return True

    # each is told at its beginning that there is room
    sent = at_once(*[send] * 4)

    assert sorted(sent) == [False, False, True, True]
    assert sum(Artefact.objects.values_list("size_bytes", flat=True)) == 200
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 2
