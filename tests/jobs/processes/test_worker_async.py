"""Coroutines in a worker: beside its threads, stopped like any other attempt."""

from typing import Any

import pytest

from jobs.models import Attempt, Job, Lease, LogLine
from jobs.queue.control import cancel
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.eventually import eventually
from tests.jobs.processes.stepping import MakeWorker, idle, step_until, task
from tests.jobs.queue.whole import assert_whole, path_of
from tests.tasks import GATES, GATHERED

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_gathered() -> None:
    GATHERED.clear()


def outcomes() -> list[str]:
    return list(Attempt.objects.order_by("job_id", "number").values_list("outcome", flat=True))


def test_coroutines_and_threads_work_side_by_side_each_in_its_slot(make_worker: MakeWorker, world: World) -> None:
    for _ in range(30):
        task(world.org, "gather_async", key="all", parties=30)
    for _ in range(4):
        task(world.org, "until_released", gate="g")
    worker = make_worker(slots=34)

    step_until(worker, lambda: Job.objects.filter(status="done").count() == 30)
    assert Lease.objects.count() == 4
    GATES["g"].set()
    step_until(worker, idle(worker))

    results = Job.objects.filter(status="done").values_list("result", flat=True)
    assert len({result for result in results if result != "released"}) == 1
    assert_whole()


def test_no_more_coroutines_run_than_there_are_slots(make_worker: MakeWorker, world: World) -> None:
    for _ in range(5):
        task(world.org, "gather_async", key="five", parties=5)
    worker = make_worker(slots=3)

    for _ in range(5):
        worker.step()
    eventually(lambda: len(GATHERED["five"]) == 3)

    assert (len(worker.attempts), Lease.objects.count()) == (3, 3)


def test_a_cancelled_coroutine_ends_where_it_waits(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "sleep_async", seconds=3600.0)
    worker = make_worker()
    worker.step()
    cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    worker.keeper.renew()

    step_until(worker, idle(worker))
    assert path_of(job.pk) == ["queued", "running", "cancelled"]


def test_a_coroutine_that_runs_too_long_is_timed_out(make_worker: MakeWorker, world: World) -> None:
    job = task(world.org, "sleep_async", seconds=3600.0, timeout_seconds=1)
    worker = make_worker()
    worker.step()
    (attempt,) = worker.attempts.values()
    eventually(lambda: attempt.reporter._sequence)
    attempt.context.started -= 2

    worker.keeper.check_deadlines()

    step_until(worker, idle(worker))
    assert path_of(job.pk) == ["queued", "running", "scheduled"]
    assert outcomes() == ["timeout"]
    assert LogLine.objects.get().text == "asleep"


def test_a_drain_gives_back_what_still_waits_without_burning_a_try(
    make_worker: MakeWorker, world: World, settings: Any
) -> None:
    settings.DRAIN_GRACE_SECONDS = 0
    jobs = [task(world.org, "sleep_async", seconds=3600.0, max_attempts=1) for _ in range(5)]
    worker = make_worker(slots=5)
    worker.step()
    worker.stop()

    worker.drain()

    assert outcomes() == ["released"] * 5
    assert {tuple(path_of(job.pk)) for job in jobs} == {("queued", "running", "queued")}
    assert_whole()


def test_a_coroutine_that_does_not_listen_loses_its_slot_until_it_returns(
    make_worker: MakeWorker, world: World, no_grace: None
) -> None:
    job = task(world.org, "deaf_async", gate="deaf", timeout_seconds=1, max_attempts=1)
    worker = make_worker(slots=2)
    worker.step()
    (attempt,) = worker.attempts.values()
    attempt.context.started -= 2

    eventually(lambda: (worker.keeper.check_deadlines(), attempt.abandoned)[1])
    step_until(worker, idle(worker))
    assert path_of(job.pk)[-1] == "failed"
    assert worker.stuck == 1

    GATES["deaf"].set()
    step_until(worker, lambda: worker.stuck == 0)
    assert outcomes() == ["timeout"]


def test_whatever_a_coroutine_raises_is_its_own_end(make_worker: MakeWorker, world: World) -> None:
    broken = task(world.org, "fail_async", message="no such table")
    leaving = task(world.org, "leave_async")
    good = task(world.org, "about_me_async")
    worker = make_worker(slots=3)

    step_until(worker, lambda: not Lease.objects.exists() and not worker.attempts)

    for job in (broken, leaving, good):
        job.refresh_from_db()
    assert (broken.status, broken.error_type) == ("scheduled", "ValueError")
    assert "no such table" in broken.error
    assert (leaving.status, leaving.error_type) == ("scheduled", "SystemExit")
    assert (good.status, good.result) == ("done", {"attempt": 1, "running": str(good.pk)})
    assert LogLine.objects.get(job_id=good.pk).text == "hello from attempt 1"
