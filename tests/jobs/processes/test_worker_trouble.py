"""A worker whose database is away, and one that is told to end."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError

from jobs.models import Attempt, Job, Lease, LogLine, Ready, WorkerProcess
from jobs.processes import worker as worker_module
from jobs.queue.claim import claim
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, make_job
from tests.jobs.processes.stepping import MakeWorker, step_until, task
from tests.jobs.queue.whole import assert_whole, path_of
from tests.tasks import GATES

pytestmark = pytest.mark.django_db


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
        patched.setattr(worker_module, "finish_each", away)
        patched.setattr(worker_module, "finish_and_claim", away)
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
    waited: list[float] = []
    batches: list[int] = []
    wait, finish = worker.settle_until, worker_module.finish_each

    def counted_wait(end: float) -> None:
        wait(end)
        waited.append(end)

    def finish_at_last(ends: Any, **fields: Any) -> Any:
        batches.append(len(ends))
        if len(waited) < 2:
            raise OperationalError("the database is away")
        return finish(ends, **fields)

    monkeypatch.setattr(worker, "settle_until", counted_wait)
    monkeypatch.setattr(worker_module, "finish_each", finish_at_last)

    worker.drain()

    assert set(batches) == {1}
    assert path_of(job.pk)[-1] == "done"
