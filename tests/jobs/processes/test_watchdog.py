"""Leases that ran out, and processes whose heartbeat stopped."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from jobs.ids import uuid7
from jobs.models import Lease, WorkerProcess
from jobs.processes import watchdog as watchdog_module
from jobs.processes.presence import Presence
from jobs.processes.watchdog import Watchdog
from tests.conftest import World
from tests.factories import claim_all, make_job
from tests.jobs.queue.whole import assert_whole, lapse_leases

pytestmark = pytest.mark.django_db


@pytest.fixture
def watchdog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setattr("jobs.processes.loop.RECOVERY_SECONDS", 0.01)
    watchdog = Watchdog()
    yield watchdog
    watchdog.close_sockets()


def make_process(seconds_ago: float, **fields: Any) -> WorkerProcess:
    beat = Now() - timedelta(seconds=seconds_ago)
    fields = {"kind": "worker", "status": "online", **fields}
    return WorkerProcess.objects.create(
        id=uuid7(), hostname="h", pid=1, version="1", started_at=beat, beat_at=beat, **fields
    )


def test_leases_that_ran_out_are_taken_back(watchdog: Watchdog, world: World) -> None:
    make_job(world.org)
    claim_all()
    assert not watchdog.step()
    assert Lease.objects.exists()
    lapse_leases()

    watchdog.step()

    assert not Lease.objects.exists()
    assert_whole()


def test_a_full_batch_is_followed_by_the_next_at_once(
    watchdog: Watchdog, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog_module, "RESCUE_BATCH", 2)
    for _ in range(3):
        make_job(world.org)
    claim_all()
    lapse_leases()

    assert [watchdog.step(), watchdog.step()] == [True, False]


@pytest.mark.parametrize("status", ["online", "draining"])
def test_a_process_that_fell_silent_is_dead_after_its_time(watchdog: Watchdog, status: str) -> None:
    silent, well = make_process(16, status=status), make_process(14, status=status)
    gone = make_process(100, status="offline", stopped_at=Now())

    watchdog.step()

    states = dict(WorkerProcess.objects.values_list("pk", "status"))
    assert states == {silent.pk: "dead", well.pk: status, gone.pk: "offline"}
    assert WorkerProcess.objects.get(pk=silent.pk).stopped_at is not None


def test_a_process_that_was_declared_dead_and_beats_again_is_back(watchdog: Watchdog) -> None:
    presence = Presence("worker", slots=3)
    presence.beat()
    WorkerProcess.objects.update(beat_at=Now() - timedelta(seconds=100))
    watchdog.step()
    assert WorkerProcess.objects.get().status == "dead"

    presence.beat()

    process = WorkerProcess.objects.get()
    assert (process.status, process.stopped_at) == ("online", None)


def test_after_the_database_was_away_the_workers_may_write_first(
    watchdog: Watchdog, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(world.org)
    claim_all()
    lapse_leases()

    def away(**_: Any) -> int:
        raise OperationalError("the database is away")

    monkeypatch.setattr("jobs.processes.loop.Loop.forget_connection", lambda self: None)
    with monkeypatch.context() as patched:
        patched.setattr(watchdog_module, "rescue", away)
        watchdog.guarded_step()

    watchdog.step()
    assert Lease.objects.exists()
    watchdog.rescue_from = 0.0
    watchdog.step()
    assert not Lease.objects.exists()
