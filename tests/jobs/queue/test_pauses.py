"""Pausing kinds of jobs and a whole organisation, pauses that end by themselves, and queues that are closed."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models.functions import Now

from jobs.errors import InvalidPause, PauseNotFound, QueueClosed
from jobs.ids import uuid7
from jobs.models import LimitSweep, Pause, Queue, Ready
from jobs.queue import external
from jobs.queue.claim import Ask
from jobs.queue.control import keep_held, pause, resume
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from jobs.queue.limit_control import keep_marked, set_limit
from jobs.queue.limits import Walk, claim_limited
from jobs.queue.pauses import pause_kind, resume_due, resume_kind
from jobs.queue.queue_control import close, reopen, set_target
from jobs.states import Outcome
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job
from tests.jobs.queue.acts import scope_of
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

SOON = timedelta(minutes=5)


def claimed() -> set[object]:
    return {one.job_id for one in claim_all()}


def test_a_paused_kind_waits_and_others_of_its_queue_do_not(world: World) -> None:
    mine, other = make_job(world.org, name="nightly"), make_job(world.org, name="hourly")
    theirs = make_job(world.rival, name="nightly")

    pause_kind("python", "nightly", scope=scope_of(world), reason="wrong sums")
    later = make_job(world.org, name="nightly")

    assert claimed() == {other.pk, theirs.pk}
    assert set(Ready.objects.values_list("job_id", "held", "kind_held")) == {
        (mine.pk, True, True),
        (later.pk, True, True),
    }
    resume_kind(Pause.objects.get().pk, scope=scope_of(world))
    assert claimed() == {mine.pk, later.pk}
    assert_whole()


def test_a_paused_type_is_paused_under_every_name(world: World) -> None:
    for name in ("nightly", "hourly"):
        make_job(world.org, name=name)
    pause_kind("python", scope=scope_of(world))
    assert claimed() == set()


def test_a_paused_organisation_starts_nothing_at_once(world: World) -> None:
    mine, theirs = make_job(world.org), make_job(world.rival)

    pause_kind("", scope=scope_of(world))

    # before any of its rows is marked
    assert claimed() == {theirs.pk}
    later = make_job(world.org)
    assert Ready.objects.get(job_id=later.pk).held
    assert keep_held() == 1
    resume_kind(Pause.objects.get().pk, scope=scope_of(world))
    assert claimed() == {mine.pk, later.pk}


def test_a_paused_organisation_starts_no_limited_and_no_external_job_either(world: World) -> None:
    set_limit("queue", "narrow", scope=scope_of(world), max_running=5)
    make_job(world.org, queue="narrow")
    enqueue(NewJob(type="external", payload={"task": "t"}, queue="own"), org=world.org, user=None)
    pause_kind("", scope=scope_of(world))
    ask = {"queue": "narrow", "types": ["python"], "slots": 5}

    assert claim_of(ask) == 0
    puller = external.Puller(world.org.pk, "w")
    assert external.pull(puller, queues=["own"], slots=5, lease_seconds=30) == []
    resume_kind(Pause.objects.get().pk, scope=scope_of(world))
    assert claim_of(ask) == 1
    assert len(external.pull(puller, queues=["own"], slots=5, lease_seconds=30)) == 1


def claim_of(ask: dict[str, object]) -> int:
    return len(claim_limited(Ask(**ask, worker_id=uuid7(), worker_name="w"), Walk()))  # type: ignore[arg-type]


def test_a_queue_that_goes_on_leaves_its_paused_kinds_held(world: World) -> None:
    held, free = make_job(world.org, name="nightly"), make_job(world.org, name="hourly")
    pause("default", scope=scope_of(world))
    pause_kind("python", "nightly", scope=scope_of(world))
    keep_held()
    assert claimed() == set()

    resume("default", scope=scope_of(world))

    assert claimed() == {free.pk}
    assert keep_held(everywhere=True) == 0
    resume_kind(Pause.objects.get().pk, scope=scope_of(world))
    assert claimed() == {held.pk}


def test_a_kind_that_goes_on_leaves_its_paused_queue_held(world: World) -> None:
    job = make_job(world.org, name="nightly")
    pause("default", scope=scope_of(world))
    pause_kind("python", "nightly", scope=scope_of(world))

    resume_kind(Pause.objects.get().pk, scope=scope_of(world))

    assert Ready.objects.values_list("held", "kind_held").get() == (True, False)
    resume("default", scope=scope_of(world))
    assert claimed() == {job.pk}


def test_one_that_comes_back_while_its_kind_is_paused_waits(world: World) -> None:
    make_job(world.org, name="nightly")
    (running,) = claim_all()
    pause_kind("python", "nightly", scope=scope_of(world))

    assert finish_one(running, outcome=Outcome.RELEASED)

    assert claimed() == set()


def test_a_great_backlog_of_a_kind_is_marked_batch_by_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.queue.limit_control.MARK_BATCH", 40)
    payload = {"task": "demo.fail_always"}
    enqueue_many([NewJob(type="python", payload=payload, name="n")] * 100, org=world.org, user=None)

    pause_kind("python", "n", scope=scope_of(world))

    assert Ready.objects.filter(held=True).count() == 40
    for _ in range(3):
        keep_marked()
    assert Ready.objects.filter(held=True).count() == 100
    resume_kind(Pause.objects.get().pk, scope=scope_of(world))
    for _ in range(3):
        keep_marked()
    assert len(claim_all(slots=200)) == 100


def test_the_leader_ends_a_pause_when_its_time_has_come(world: World) -> None:
    job = make_job(world.org, name="nightly")
    pause("default", scope=scope_of(world), until=SOON)
    pause_kind("python", scope=scope_of(world), until=SOON)
    pause_kind("", scope=scope_of(world), until=SOON)
    keep_held()

    assert resume_due() is False
    assert claimed() == set()
    Queue.objects.update(resume_at=Now())
    Pause.objects.update(resume_at=Now())
    assert resume_due() is False

    assert claimed() == {job.pk}
    ended = AuditEntry.objects.filter(action__endswith=".resume").order_by("action")
    assert list(ended.values_list("action", "target", "actor_name")) == [
        ("kind.resume", "python", ""),
        ("org.resume", world.org.slug, ""),
        ("queue.resume", "default", ""),
    ]
    assert {entry.detail["reason"] for entry in ended} == {"its time had come"}


def test_a_pause_ends_later_than_it_begins(world: World) -> None:
    make_job(world.org)
    for until in (timedelta(0), timedelta(days=400)):
        with pytest.raises(InvalidPause):
            pause("default", scope=scope_of(world), until=until)
        with pytest.raises(InvalidPause):
            pause_kind("python", scope=scope_of(world), until=until)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - interval '1 second'")
        (past,) = cursor.fetchone()
    with pytest.raises(InvalidPause):
        pause("default", scope=scope_of(world), until=past)
    assert not Queue.objects.get().paused


def test_a_pause_again_changes_its_reason_and_its_end(world: World) -> None:
    first, created = pause_kind("python", scope=scope_of(world), reason="one", until=SOON)
    again, anew = pause_kind("python", scope=scope_of(world), reason="two")

    assert (created, anew, again.pk) == (True, False, first.pk)
    assert (again.reason, again.resume_at) == ("two", None)
    entry = AuditEntry.objects.filter(action="kind.pause").latest("id")
    assert (entry.detail["old"]["reason"], entry.detail["new"]) == ("one", {"reason": "two"})


def test_what_can_be_no_kind_is_refused(world: World) -> None:
    for type, name in (("nothing", ""), ("", "nightly"), ("python", "x" * 65), ("python", "a\0b")):
        with pytest.raises(InvalidPause):
            pause_kind(type, name, scope=scope_of(world))


def test_only_an_admin_pauses_and_only_what_is_his(world: World) -> None:
    with pytest.raises(PermissionDenied):
        pause_kind("python", scope=scope_of(world, Role.OPERATOR))
    theirs = Pause.objects.create(org=world.rival, type="python", paused_at=Now())
    with pytest.raises(PauseNotFound):
        resume_kind(theirs.pk, scope=scope_of(world))


def test_a_closed_queue_takes_nothing_new_and_runs_empty(world: World) -> None:
    make_job(world.org)
    retried = make_job(world.org, delay_seconds=60)
    close("default", scope=scope_of(world), reason="moving")

    for many in (1, 2):
        outcomes = enqueue_many([python()] * many, org=world.org, user=None)
        assert [type(one) for one in outcomes] == [QueueClosed] * many
    # of another's queue of the same name nothing was said
    assert make_job(world.rival)
    assert len(claim_all()) == 2
    assert Queue.objects.get(org=world.org).closed
    reopen("default", scope=scope_of(world))
    assert make_job(world.org)
    assert retried.pk
    assert list(AuditEntry.objects.filter(target="default").order_by("id").values_list("action", flat=True)) == [
        "queue.close",
        "queue.reopen",
    ]


def python(**fields: object) -> NewJob:
    return NewJob(type="python", payload={"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields)  # type: ignore[arg-type]


def test_a_repeat_of_what_was_there_before_is_no_new_job(world: World) -> None:
    first = enqueue(python(idempotency_key="k"), org=world.org, user=None)
    close("default", scope=scope_of(world))

    again = enqueue(python(idempotency_key="k"), org=world.org, user=None)

    assert (again.job_id, again.created) == (first.job_id, False)
    with pytest.raises(QueueClosed):
        enqueue(python(idempotency_key="other"), org=world.org, user=None)


def test_a_closed_queue_keeps_out_only_its_own_of_a_call(world: World) -> None:
    make_job(world.org)
    close("default", scope=scope_of(world))
    outcomes = enqueue_many([python(), python(queue="open"), python()], org=world.org, user=None)
    assert [isinstance(one, QueueClosed) for one in outcomes] == [True, False, True]


def test_a_target_is_seconds_or_nothing(world: World) -> None:
    make_job(world.org)
    set_target("default", 30, scope=scope_of(world))
    assert Queue.objects.get().target_seconds == 30
    set_target("default", None, scope=scope_of(world))
    assert Queue.objects.get().target_seconds is None
    for seconds in (0, -1, 10**9):
        with pytest.raises(InvalidPause):
            set_target("default", seconds, scope=scope_of(world))


def test_a_change_of_limits_leaves_what_is_paused_held(world: World) -> None:
    make_job(world.org, name="nightly")
    pause_kind("python", "nightly", scope=scope_of(world))
    set_limit("queue", "default", scope=scope_of(world), max_running=5)
    assert LimitSweep.objects.exists()
    assert Ready.objects.values_list("held", "kind_held", "limit_key").get() == (True, True, "")
