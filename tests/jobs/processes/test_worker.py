"""The worker, stepped by hand: its slots are real threads that run real tasks."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from jobs.handlers.base import StopReason
from jobs.models import Attempt, Job, Lease, LogLine, Ready, WorkerProcess
from jobs.processes import executor as executor_module
from jobs.processes import keeper as keeper_module
from jobs.processes import worker as worker_module
from jobs.processes.worker import EXIT_NO_SLOTS, Worker
from jobs.queue.claim import claim
from jobs.queue.control import cancel
from jobs.queue.lease import rescue
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import Background, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, finish_one, make_job, make_member
from tests.jobs.queue.whole import assert_whole, lapse_leases, path_of
from tests.tasks import GATES

pytestmark = pytest.mark.django_db

MakeWorker = Callable[..., Worker]


def task(org: Org, name: str, queue: str = "default", **fields: Any) -> Job:
    """A waiting job of tests.tasks; what is no field of a job is an argument of the task."""
    known = {"max_attempts", "timeout_seconds", "urgency", "name"}
    options = {key: fields.pop(key) for key in known & fields.keys()}
    return make_job(org, queue=queue, payload={"task": f"tests.{name}", "kwargs": fields}, **options)


def step_until(worker: Worker, check: Callable[[], Any]) -> None:
    eventually(lambda: (worker.step(), check())[1], every_seconds=0.005)


def idle(worker: Worker) -> Callable[[], bool]:
    return lambda: not worker.attempts


# --- a step ---------------------------------------------------------------------------------------------------------


def test_a_step_runs_what_waits_and_the_next_ones_write_how_it_ended(make_worker: MakeWorker, world: World) -> None:
    jobs = [make_job(world.org) for _ in range(3)]
    worker = make_worker(slots=2)

    assert worker.step()
    assert len(worker.attempts) <= 2
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 3)

    assert not worker.step()
    assert [Job.objects.get(pk=job.pk).result for job in jobs] == [3, 3, 3]
    assert worker.presence.jobs_processed == 3
    assert_whole()


def test_it_claims_no_more_than_its_free_slots(make_worker: MakeWorker, world: World) -> None:
    for _ in range(5):
        task(world.org, "until_released", gate="g")
    worker = make_worker(slots=2)

    for _ in range(3):
        worker.step()

    assert (len(worker.attempts), Lease.objects.count(), Ready.objects.count()) == (2, 2, 3)


def test_it_serves_its_queues_in_turn(make_worker: MakeWorker, world: World) -> None:
    for _ in range(6):
        make_job(world.org, queue="a")
        make_job(world.org, queue="b")
    worker = make_worker(queues=["a", "b"], slots=1)

    step_until(worker, lambda: Job.objects.filter(status="done").count() >= 6)

    done = Job.objects.filter(status="done")
    assert done.filter(queue="a").count() >= 2
    assert done.filter(queue="b").count() >= 2


@pytest.mark.parametrize(
    ("serves", "done"),
    [
        ({"queues": ["b"], "types": ["python"]}, {"b-python"}),
        ({"queues": ["a", "b"], "types": ["python"]}, {"a-python", "b-python"}),
        ({"queues": ["*"]}, {"a-python", "b-python", "b-shell"}),
        ({"queues": ["*"], "types": ["shell"]}, {"b-shell"}),
        ({"queues": ["nothing"]}, set()),
    ],
)
def test_it_serves_its_queues_and_types_only(
    make_worker: MakeWorker, world: World, serves: dict[str, Any], done: set[str]
) -> None:
    make_job(world.org, queue="a", name="a-python")
    make_job(world.org, queue="b", name="b-python")
    make_job(world.org, queue="b", name="b-shell", type="shell", payload={"argv": ["/bin/echo", "hi"]})
    worker = make_worker(**serves)

    while worker.step() or worker.attempts:
        pass

    assert set(Job.objects.filter(status="done").values_list("name", flat=True)) == done


def test_a_failing_task_is_scheduled_again_with_its_error(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "fail_with", message="no such table")
    worker = make_worker()

    worker.step()
    step_until(worker, idle(worker))

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "ValueError")
    assert "no such table" in job.error


def test_a_task_that_would_end_the_process_ends_its_attempt(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "leave")
    after = make_job(world.org)
    worker = make_worker(slots=1)

    step_until(worker, lambda: Job.objects.filter(pk=after.pk, status="done"))

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "SystemExit")


@pytest.mark.django_db(transaction=True)
def test_a_task_that_uses_the_orm_leaves_its_slot_clean(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "IDLE_CONNECTION_SECONDS", 0.05)
    before = sessions()
    jobs = [task(world.org, name) for name in ("count_users", "leave_a_transaction_open", "count_users")]
    worker = make_worker(slots=1)

    step_until(worker, lambda: Job.objects.filter(status="done").count() == len(jobs))

    # An idle slot keeps no connection; the worker's listening session is the one more.
    eventually(lambda: sessions() == before + 1)


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_lines_are_kept_before_the_end_is(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "chatty", gate="g", lines=5)
    worker = make_worker()
    GATES["g"].set()

    worker.step()
    step_until(worker, idle(worker))

    assert list(LogLine.objects.filter(job_id=job.pk).order_by("sequence").values_list("text", flat=True)) == [
        f"line {number}" for number in range(5)
    ]


def test_progress_that_is_no_number_is_an_error_of_its_task_alone(make_worker: MakeWorker, world: World) -> None:
    """It once kept every end of the worker from being written."""
    job, good = task(world.org, "half"), make_job(world.org)
    worker = make_worker()

    worker.step()
    step_until(worker, lambda: Job.objects.filter(pk=good.pk, status="done"))

    step_until(worker, idle(worker))
    job.refresh_from_db()
    assert (job.status, job.error_type) == ("scheduled", "ValueError")


def test_it_ends_when_empty_if_asked_to(make_worker: MakeWorker, world: World) -> None:
    for _ in range(5):
        make_job(world.org)
    make_job(world.org, queue="other")
    worker = make_worker(until_empty=True)

    while not worker.stopping:
        worker.step()

    assert Job.objects.filter(status="done").count() == 5
    assert worker.exit_code == 0


# --- leases ---------------------------------------------------------------------------------------------------------


def test_what_runs_is_renewed(make_worker: MakeWorker, world: World) -> None:
    task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    before = Lease.objects.get().expires_at

    worker.keeper.renew()

    assert Lease.objects.get().expires_at > before


def test_a_cancelled_job_is_stopped_at_the_next_renewal(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    worker.keeper.renew()

    step_until(worker, idle(worker))
    assert path_of(job.pk) == ["queued", "running", "cancelled"]
    assert_whole()


def test_a_late_worker_is_told_to_stop_and_its_end_is_fenced(
    make_worker: MakeWorker, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    lapse_leases()
    rescue()
    (theirs,) = claim_all()

    worker.keeper.renew()
    step_until(worker, idle(worker))

    assert "fenced" in caplog.text
    assert worker.presence.jobs_processed == 0
    assert path_of(job.pk)[-1] == "running"
    assert finish_one(theirs)
    assert_whole()


def test_a_lease_that_could_not_be_renewed_is_over_by_our_own_clock(
    make_worker: MakeWorker, world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database out of reach nobody tells us that another has the job."""
    settings.LEASE_SECONDS = 0.05
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.step()
    (attempt,) = worker.attempts.values()

    def stopped() -> bool:
        worker.keeper.check_deadlines()
        return attempt.context.stop_reason is not None

    eventually(stopped)
    assert attempt.context.stop_reason is StopReason.LEASE_LOST
    eventually(worker.settle)
    # Nobody had taken it: it is given back, and no try is burnt.
    assert path_of(job.pk) == ["queued", "running", "queued"]
    assert Attempt.objects.get(number=1).outcome == "released"


@pytest.mark.django_db(transaction=True)
def test_a_renewal_waits_for_an_end_and_does_not_lock_against_it(make_worker: MakeWorker, world: World) -> None:
    """Each over several leases, in orders of their own: at once they could deadlock."""
    for _ in range(2):
        make_job(world.org)
    worker = make_worker(slots=2)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 2)
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_lease FOR UPDATE")
        end = Background(worker.settle)
        eventually(waiting_for_locks)
        renewal = Background(worker.keeper.renew)
        report = Background(worker.keeper.flush)
        assert renewal.waits
        assert report.waits
        assert waiting_for_locks() == 1

    assert end.result() is True
    renewal.result()
    report.result()
    assert_whole()


# --- time is up -----------------------------------------------------------------------------------------------------


def overdue(worker: Worker) -> None:
    """Let every attempt be past its timeout."""
    for attempt in worker.attempts.values():
        attempt.context.started -= attempt.context.timeout_seconds + 1
    worker.keeper.check_deadlines()


def test_an_attempt_past_its_timeout_is_stopped(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "until_released", gate="g", timeout_seconds=5)
    worker = make_worker()
    worker.step()
    worker.keeper.check_deadlines()
    assert worker.attempts

    overdue(worker)
    step_until(worker, idle(worker))

    job.refresh_from_db()
    assert (job.status, job.outcome, job.error) == ("scheduled", "timeout", "Ran longer than its timeout of 5 s.")


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "STOP_GRACE_SECONDS", -1.0)
    monkeypatch.setattr(worker_module, "RELEASE_GRACE_SECONDS", 0.05)


@pytest.mark.parametrize(("act", "status"), [("timeout", "scheduled"), ("cancel", "cancelled")])
def test_a_handler_that_does_not_stop_is_left_and_its_job_goes_on(
    make_worker: MakeWorker, world: World, no_grace: None, act: str, status: str
) -> None:
    job = task(world.org, "stubborn", gate="g")
    other = task(world.org, "until_released", gate="other")
    worker = make_worker(slots=2)
    worker.step()
    stuck = next(each for each in worker.attempts.values() if each.claimed.job_id == job.pk)
    if act == "timeout":
        stuck.context.started -= 1000
    else:
        cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
        worker.keeper.renew()

    worker.keeper.check_deadlines()
    step_until(worker, lambda: Job.objects.filter(pk=job.pk, status=status))

    # Its thread still sits in the handler: one slot less, until it returns.
    assert (worker.stuck, worker.free_slots(), len(worker.attempts)) == (1, 0, 1)
    GATES["g"].set()
    step_until(worker, lambda: worker.stuck == 0)
    assert worker.free_slots() == 1
    assert path_of(job.pk)[-1] == status
    GATES["other"].set()
    step_until(worker, lambda: Job.objects.filter(pk=other.pk, status="done"))
    assert worker.free_slots() == 2
    assert_whole()


def test_a_handler_that_returns_as_it_is_left_counts_once(
    make_worker: MakeWorker, world: World, no_grace: None
) -> None:
    job = task(world.org, "stubborn", gate="g")
    worker = make_worker(slots=2)
    worker.step()
    GATES["g"].set()
    (attempt,) = worker.attempts.values()
    eventually(lambda: not worker.ends.empty())

    attempt.asked_at = 0.0
    worker.keeper.check_deadlines()
    worker.step()

    assert (worker.stuck, worker.free_slots()) == (0, 2)
    assert path_of(job.pk)[-1] == "done"


def test_a_worker_whose_slots_are_all_stuck_ends(make_worker: MakeWorker, world: World, no_grace: None) -> None:
    task(world.org, "stubborn", gate="g", timeout_seconds=1)
    worker = make_worker(slots=1)
    worker.step()

    overdue(worker)
    worker.step()

    assert worker.stopping
    assert worker.exit_code == EXIT_NO_SLOTS


# --- the database is away -------------------------------------------------------------------------------------------


@pytest.fixture
def keep_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's transaction is on it."""
    monkeypatch.setattr(Worker, "forget_connection", lambda self: None)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, ProgrammingError])
def test_an_end_that_cannot_be_written_is_kept_and_nothing_new_is_claimed(
    make_worker: MakeWorker,
    world: World,
    keep_connection: None,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    job, waiting = make_job(world.org), make_job(world.org)
    worker = make_worker(slots=1)
    worker.step()
    running = next(iter(worker.attempts.values())).claimed.job_id
    eventually(lambda: not worker.ends.empty())

    def away(*_: Any, **__: Any) -> Any:
        raise error("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(worker_module, "finish", away)
        for _ in range(3):
            assert not worker.guarded_step()

    assert Ready.objects.count() == 1
    assert len(worker.unsettled) == 1
    worker.step()
    assert path_of(running)[-1] == "done"
    step_until(worker, lambda: Job.objects.filter(pk__in=[job.pk, waiting.pk], status="done").count() == 2)


@pytest.mark.django_db(transaction=True)
def test_an_end_the_database_refuses_does_not_hold_up_the_others(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = make_job(world.org), make_job(world.org)
    worker = make_worker(slots=2)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 2)
    worker.collect_ends()
    # As if a handler's result had slipped past the checks.
    worker.unsettled = [
        (
            attempt,
            ended if attempt.claimed.job_id == good.pk else type(ended)(ended.claimed, ended.outcome, result="\0"),
        )
        for attempt, ended in worker.unsettled
    ]

    worker.settle()

    bad.refresh_from_db()
    assert (bad.status, bad.error_type) == ("failed", "BadResult")
    assert path_of(good.pk)[-1] == "done"
    assert not worker.attempts
    assert_whole()


def test_what_was_claimed_without_an_answer_is_given_back(
    make_worker: MakeWorker, world: World, keep_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(world.org, max_attempts=1)
    worker = make_worker()

    def lost(**fields: Any) -> Any:
        claim(**fields)
        raise OperationalError("the connection was lost after the commit")

    with monkeypatch.context() as patched:
        patched.setattr(worker_module, "claim", lost)
        worker.guarded_step()
    assert Lease.objects.exists()

    step_until(worker, lambda: Job.objects.filter(pk=job.pk, status="done"))

    assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["released", "done"]
    assert_whole()


def test_reports_wait_for_the_database_and_lose_nothing(
    make_worker: MakeWorker, world: World, keep_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    task(world.org, "chatty", gate="g", lines=3)
    worker = make_worker()
    worker.step()

    def away(**_: Any) -> None:
        raise OperationalError("the database is away")

    (attempt,) = worker.attempts.values()
    eventually(lambda: attempt.reporter._sequence == 3)
    with monkeypatch.context() as patched:
        patched.setattr("jobs.processes.reporting.report", away)
        with pytest.raises(OperationalError):
            worker.keeper.flush()

    worker.keeper.flush()

    assert [line.text for line in LogLine.objects.order_by("sequence")] == ["line 0", "line 1", "line 2"]


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_drain_finishes_what_ends_in_time(make_worker: MakeWorker, world: World, settings: Any) -> None:
    settings.DRAIN_GRACE_SECONDS = 20
    job = task(world.org, "until_released", gate="g")
    waiting = make_job(world.org)
    worker = make_worker(slots=1)
    worker.step()
    worker.stop()
    GATES["g"].set()

    worker.drain()

    assert path_of(job.pk)[-1] == "done"
    assert path_of(waiting.pk) == ["queued"]
    assert worker.presence.status == WorkerProcess.DRAINING


@pytest.mark.parametrize("name", ["until_released", "stubborn"])
def test_a_drain_gives_back_what_does_not_and_burns_no_try(
    make_worker: MakeWorker, world: World, settings: Any, no_grace: None, name: str
) -> None:
    settings.DRAIN_GRACE_SECONDS = 0
    job = task(world.org, name, gate="g", max_attempts=1)
    worker = make_worker()
    worker.step()
    worker.stop()

    worker.drain()

    assert path_of(job.pk) == ["queued", "running", "queued"]
    (again,) = claim_all()
    assert (again.attempt, again.attempt_limit) == (2, 2)
    assert Attempt.objects.get().outcome == "released"
    assert_whole()


def test_a_drain_writes_the_end_of_what_had_ended_and_not_a_release(
    make_worker: MakeWorker, world: World, settings: Any, no_grace: None, keep_connection: None, monkeypatch: Any
) -> None:
    """The database was away when it ended, and is back for the last try."""
    settings.DRAIN_GRACE_SECONDS = 0.05
    job = make_job(world.org)
    worker = make_worker()
    worker.step()
    eventually(lambda: not worker.ends.empty())
    worker.stop()
    tries = []

    def finish_at_last(*args: Any, **fields: Any) -> Any:
        tries.append(time.monotonic())
        if len(tries) < 2:
            raise OperationalError("the database is away")
        return real(*args, **fields)

    real = worker_module.finish
    monkeypatch.setattr(worker_module, "finish", finish_at_last)

    worker.drain()

    assert path_of(job.pk)[-1] == "done"


# --- a whole run ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_runs_registers_works_and_leaves(make_worker: MakeWorker, world: World) -> None:
    jobs = [make_job(world.org) for _ in range(20)]
    worker = make_worker(slots=3, until_empty=True)

    worker.run()

    assert Job.objects.filter(status="done").count() == len(jobs)
    process = WorkerProcess.objects.get(pk=worker.presence.id)
    assert (process.kind, process.status, process.slots, process.jobs_processed) == ("worker", "offline", 3, 20)
    assert (process.queues, process.types) == (["default"], worker.types)
    assert process.stopped_at is not None
    assert process.memory_bytes > 0
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_reaches_the_handler_by_its_notification(
    make_worker: MakeWorker, world: World, settings: Any
) -> None:
    """Not by the renewal, which is a minute away."""
    settings.LEASE_RENEW_SECONDS = 60
    settings.POLL_SECONDS = 60
    job = task(world.org, "until_released", gate="g")
    worker = make_worker()
    worker.ticker.start()
    worker.step()
    # It listens, and its first renewal is behind it.
    eventually(lambda: worker.ticker.chores[1].due > time.monotonic())
    cancel(job.pk, scope=Scope(make_member(world.org, Role.ORG_ADMIN), world.org, Role.ORG_ADMIN))

    def cancelled() -> bool:
        worker.sleep(1)
        worker.step()
        return path_of(job.pk)[-1] == "cancelled"

    eventually(cancelled)
    worker.ticker.stop()
