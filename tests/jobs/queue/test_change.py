"""What people change about jobs that wait: when they may start, where, and how urgent they are."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import IllegalMove, InvalidJob, JobNotFound
from jobs.models import Job, Limit, Queue, Ready, Transition
from jobs.queue import change
from jobs.queue.control import pause
from jobs.queue.promote import promote
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.queue.acts import scope_of
from tests.jobs.queue.whole import assert_whole, make_due, path_of

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
VERBS: dict[str, Any] = {
    "snooze": lambda job, scope: change.snooze(job, scope=scope, seconds=60),
    "run_now": lambda job, scope: change.run_now(job, scope=scope),
    "urgency": lambda job, scope: change.change_urgency(job, "high", scope=scope),
    "move": lambda job, scope: change.move(job, "elsewhere", scope=scope),
    "both": lambda job, scope: change.change(job, urgency="high", queue="elsewhere", scope=scope),
}
EACH = pytest.mark.parametrize("verb", VERBS)


def entry() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


def test_a_queued_job_that_is_put_off_is_not_claimed_until_then(world: World) -> None:
    job = make_job(world.org)

    due = change.snooze(job.pk, scope=scope_of(world), seconds=3600, reason="later")

    job.refresh_from_db()
    assert (job.status, job.run_at, job.due_at) == ("scheduled", due, due)
    assert timedelta(minutes=59) < due - timezone.now() <= HOUR
    assert claim_all() == []
    assert path_of(job.pk) == ["queued", "scheduled"]
    assert Transition.objects.latest("id").reason == "snoozed: later"
    assert entry().action == "job.snooze"
    assert entry().detail == {
        "old": {"status": "queued", "run_at": None},
        "new": {"status": "scheduled", "run_at": due.isoformat()},
        "reason": "later",
    }
    make_due(job.pk)
    promote()
    assert [one.job_id for one in claim_all()] == [job.pk]
    assert_whole()


def test_a_scheduled_job_gets_another_time(world: World) -> None:
    job = make_job(world.org, delay_seconds=10)
    until = timezone.now() + HOUR

    change.snooze(job.pk, scope=scope_of(world), until=until)

    job.refresh_from_db()
    assert (job.status, job.run_at) == ("scheduled", until)
    assert path_of(job.pk) == ["scheduled", "scheduled"]
    assert_whole()


@pytest.mark.parametrize("when", [{}, {"seconds": 0}, {"seconds": -1}, {"seconds": 1e9}, {"seconds": float("nan")},
                                  {"seconds": 1, "until": timezone.now() + HOUR}, {"until": timezone.now() - HOUR},
                                  {"until": timezone.now() + timedelta(days=400)}])  # fmt: skip
def test_a_time_that_cannot_be_is_refused(world: World, when: dict[str, Any]) -> None:
    job = make_job(world.org)

    with pytest.raises(InvalidJob):
        change.snooze(job.pk, scope=scope_of(world), **when)

    assert path_of(job.pk) == ["queued"]


def test_a_job_that_is_due_later_starts_at_once(world: World) -> None:
    job = make_job(world.org, delay_seconds=3600)

    change.run_now(job.pk, scope=scope_of(world), reason="the service is back")

    assert [one.job_id for one in claim_all()] == [job.pk]
    assert path_of(job.pk) == ["scheduled", "queued", "running"]
    assert entry().detail["old"]["status"] == "scheduled"
    assert_whole()


def test_a_retry_need_not_be_waited_for(world: World) -> None:
    job = make_job(world.org, max_attempts=2)
    (claimed,) = claim_all()
    finish_one(claimed, "error")
    job.refresh_from_db()
    assert job.status == "scheduled"

    change.run_now(job.pk, scope=scope_of(world))

    assert [one.attempt for one in claim_all()] == [2]
    assert_whole()


@pytest.mark.parametrize("verb", ["snooze", "run_now"])
def test_a_job_that_waits_for_others_has_no_time_to_change(world: World, verb: str) -> None:
    job = make_job(world.org, after=[make_job(world.org).pk])

    with pytest.raises(IllegalMove, match="waits for 1 others"):
        VERBS[verb](job.pk, scope_of(world))

    assert_whole()


def test_a_job_comes_into_another_queue_with_the_rank_it_has_there(world: World) -> None:
    make_job(world.org, queue="elsewhere")
    job = make_job(world.org)
    before = Ready.objects.get(job_id=job.pk)

    change.move(job.pk, "elsewhere", scope=scope_of(world), reason="it is slow here")

    job.refresh_from_db()
    ready = Ready.objects.get(job_id=job.pk)
    assert job.queue == ready.queue == "elsewhere"
    assert job.queued_at
    assert ready.rank == pytest.approx(job.queued_at.timestamp() + job.share_offset + job.rank_offset, abs=1e-4)
    assert ready.rank > before.rank
    assert claim_all("default") == []
    assert len(claim_all("elsewhere")) == 2
    said = Transition.objects.filter(job_id=job.pk, from_status="queued", to_status="queued").get()
    assert said.reason == "from default: it is slow here"
    assert entry().detail == {
        "old": {"queue": "default"}, "new": {"queue": "elsewhere"}, "reason": "it is slow here"
    }  # fmt: skip
    assert_whole()


def test_a_scheduled_job_is_queued_where_it_was_moved_to(world: World) -> None:
    job = make_job(world.org, delay_seconds=3600)

    change.move(job.pk, "elsewhere", scope=scope_of(world))
    change.run_now(job.pk, scope=scope_of(world))

    assert [one.job_id for one in claim_all("elsewhere")] == [job.pk]
    assert_whole()


def test_a_paused_queue_holds_what_is_moved_into_it_and_lets_go_what_leaves(world: World) -> None:
    make_job(world.org, queue="paused")
    pause("paused", scope=scope_of(world))
    job = make_job(world.org)

    change.move(job.pk, "paused", scope=scope_of(world))
    assert Ready.objects.get(job_id=job.pk).held
    change.move(job.pk, "default", scope=scope_of(world))

    assert [one.job_id for one in claim_all()] == [job.pk]
    assert_whole()


def test_a_limit_of_the_other_queue_applies(world: World) -> None:
    Limit.objects.create(org=world.org, scope="queue", name="narrow", max_running=1)
    job = make_job(world.org)

    change.move(job.pk, "narrow", scope=scope_of(world))

    assert Ready.objects.get(job_id=job.pk).limit_key == ""
    change.move(job.pk, "default", scope=scope_of(world))
    assert Ready.objects.get(job_id=job.pk).limit_key is None


def test_a_new_queue_is_made(world: World) -> None:
    job = make_job(world.org)

    change.move(job.pk, "brand-new", scope=scope_of(world))

    assert Queue.objects.filter(org=world.org, name="brand-new").exists()


def test_an_urgent_job_is_next(world: World) -> None:
    make_job(world.org)
    job = make_job(world.org)

    change.change_urgency(job.pk, "high", scope=scope_of(world), reason="a customer waits")

    assert claim_all()[0].job_id == job.pk
    assert Transition.objects.filter(job_id=job.pk)[1].reason == "urgency medium to high: a customer waits"
    assert entry().detail == {
        "old": {"urgency": "medium"}, "new": {"urgency": "high"}, "reason": "a customer waits"
    }  # fmt: skip
    assert_whole()


def test_what_is_so_already_is_neither_changed_nor_said(world: World) -> None:
    job = make_job(world.org)

    change.change(job.pk, urgency="medium", queue="default", scope=scope_of(world))

    assert path_of(job.pk) == ["queued"]
    assert not AuditEntry.objects.filter(target=str(job.pk)).exists()


def test_both_or_neither(world: World) -> None:
    job = make_job(world.org)

    with pytest.raises(InvalidJob):
        change.change(job.pk, urgency="extreme", queue="elsewhere", scope=scope_of(world))

    job.refresh_from_db()
    assert job.queue == "default"


@EACH
def test_a_job_that_runs_or_has_ended_is_left_alone(world: World, verb: str) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    jobs = [claimed.job_id, make_dead_letter(world.org).pk]
    finished = make_done(world.org).pk

    for job_id in [*jobs, finished]:
        before = path_of(job_id)
        with pytest.raises(IllegalMove, match="The job is"):
            VERBS[verb](job_id, scope_of(world))
        assert path_of(job_id) == before
    assert_whole()


@EACH
def test_a_job_of_others_is_not_found_and_a_viewer_is_refused(world: World, verb: str) -> None:
    with pytest.raises(JobNotFound):
        VERBS[verb](make_job(world.rival).pk, scope_of(world))
    with pytest.raises(PermissionDenied):
        VERBS[verb](make_job(world.org).pk, scope_of(world, Role.VIEWER))


acts = st.lists(st.sampled_from(["snooze", "run_now", "high", "low", "a", "b", "promote"]), max_size=8)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts)
def test_whatever_is_changed_in_whatever_order_the_tables_are_whole(world: World, acts: list[str]) -> None:
    job = make_job(world.org)
    scope = scope_of(world)
    does: dict[str, Any] = {
        "snooze": VERBS["snooze"],
        "run_now": VERBS["run_now"],
        "promote": lambda job_id, scope: (make_due(), promote()),
    }
    for act in acts:
        try:
            if act in does:
                does[act](job.pk, scope)
            elif act in ("high", "low"):
                change.change_urgency(job.pk, act, scope=scope)
            else:
                change.move(job.pk, act, scope=scope)
        except IllegalMove:
            pass

    assert_whole()
    for ready in Ready.objects.all():
        found = Job.objects.get(pk=ready.job_id)
        assert found.queued_at
        assert ready.rank == pytest.approx(
            found.queued_at.timestamp() + found.share_offset + found.rank_offset, abs=1e-3
        )
        assert ready.queue == found.queue
