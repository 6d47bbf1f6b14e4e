"""The leader's chores, each fenced."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from jobs.models import DepthSample, Job, LeaderTerm, Ready, StatusDelta, WorkerProcess
from jobs.processes.scheduler import Scheduler
from jobs.processes.ticker import Chore
from jobs.queue.control import pause
from orgs import audit
from orgs.audit_verify import verify
from orgs.models import AuditHead, AuditSeal
from orgs.roles import Role
from orgs.scope import Scope
from tests.factories import make_done, make_job, make_member, make_org
from tests.jobs.queue.whole import assert_whole, make_due, path_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_scheduler() -> Iterator[Callable[[], Scheduler]]:
    made: list[Scheduler] = []

    def make() -> Scheduler:
        made.append(Scheduler())
        return made[-1]

    yield make
    for scheduler in made:
        scheduler.leadership.step_down("the test is over")
        scheduler.close_sockets()


@pytest.fixture
def leader(make_scheduler: Callable[[], Scheduler]) -> Scheduler:
    scheduler = make_scheduler()
    scheduler.leadership.tick()
    return scheduler


def only(scheduler: Scheduler, name: str) -> None:
    """Let only this chore be due."""
    for chore in scheduler.chores:
        chore.due = 0.0 if chore.name == name else float("inf")


def test_a_standby_does_nothing(leader: Scheduler, make_scheduler: Callable[[], Scheduler]) -> None:
    make_job(make_org(), delay_seconds=60)
    make_due()
    standby = make_scheduler()
    standby.leadership.tick()

    assert not standby.step()
    assert not Ready.objects.exists()


def test_the_leader_does_all_its_chores_in_its_first_step(leader: Scheduler) -> None:
    org = make_org()
    due, old = make_job(org, delay_seconds=60), make_done(org, queue="old", idempotency_key="k")
    make_due(due.pk)
    held = make_job(org, queue="paused")
    pause("paused", scope=Scope(make_member(org, Role.ORG_ADMIN), org, Role.ORG_ADMIN))
    Job.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(days=2))
    LeaderTerm.objects.update(beat_at=Now() - timedelta(hours=1))

    assert leader.step()

    assert path_of(due.pk) == ["scheduled", "queued"]
    assert Ready.objects.get(job_id=held.pk).held
    assert not StatusDelta.objects.exists()
    assert set(DepthSample.objects.values_list("queue", flat=True)) == {"default", "paused"}
    assert Job.objects.get(pk=old.pk).idempotency_key is None
    term = LeaderTerm.objects.get()
    assert term.beat_at > term.elected_at
    assert_whole()


def test_a_full_batch_is_followed_by_the_next_without_a_sleep(leader: Scheduler, settings: Any) -> None:
    settings.PROMOTE_BATCH = 2
    org = make_org()
    for _ in range(5):
        make_job(org, delay_seconds=60)
    make_due()
    only(leader, "promote")

    assert [leader.step() for _ in range(4)] == [True, True, True, False]
    assert Ready.objects.count() == 5


def test_a_write_of_a_closed_term_is_refused(leader: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    make_job(make_org(), delay_seconds=60)
    make_due()
    LeaderTerm.objects.update(ended_at=Now())

    assert not leader.step()

    assert not Ready.objects.exists()
    assert "a write of a closed term was refused" in caplog.text


@pytest.mark.parametrize("error", [ValueError("broken"), OperationalError("away")])
def test_a_chore_that_fails_each_time_does_not_keep_the_others_from_running(
    leader: Scheduler, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.processes.loop.RECOVERY_SECONDS", 0.01)
    tried = []

    def broken() -> None:
        tried.append(1)
        raise error

    make_job(make_org(), delay_seconds=60)
    make_due()
    leader.chores.insert(0, Chore("broken", 60.0, broken))

    for _ in range(3):
        leader.guarded_step()

    assert tried == [1]
    assert Ready.objects.count() == 1


def test_the_leader_seals_the_audit_trail_in_its_term(leader: Scheduler) -> None:
    audit.record("test.act")
    only(leader, "seal audit")

    assert leader.step()

    assert AuditSeal.objects.get().epoch == LeaderTerm.objects.get().epoch
    assert not verify().found


def test_one_that_leads_no_more_seals_nothing(leader: Scheduler) -> None:
    audit.record("test.act")
    only(leader, "seal audit")
    LeaderTerm.objects.update(ended_at=Now())

    assert not leader.step()

    assert not AuditSeal.objects.exists()
    assert not AuditHead.objects.exists()


def test_what_a_failed_chore_wrote_is_undone(leader: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(make_org())

    def half() -> None:
        Ready.objects.all().delete()
        raise ValueError("half way")

    leader.chores = [Chore("half", 60.0, half)]
    leader.step()

    assert Ready.objects.count() == 1


def test_it_runs_is_elected_works_and_leaves(settings: Any) -> None:
    settings.LEADER_PING_SECONDS = 0.02
    make_job(make_org(), delay_seconds=60)
    make_due()
    scheduler = Scheduler()
    last = scheduler.chores[-1]
    scheduler.chores.append(Chore("stop", 60.0, scheduler.stop))
    assert last.name == "prune"

    scheduler.run()

    assert Ready.objects.count() == 1
    process = WorkerProcess.objects.get()
    assert (process.kind, process.status, process.stopped_at is not None) == ("scheduler", "offline", True)
    assert LeaderTerm.objects.get().ended_at is not None
