"""Tasks whose effect and end are one commit: exactly once, whatever happens to their workers and the database."""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from jobs.models import Attempt, Job, Lease, LogLine
from orgs.models import Org
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, patiently
from tests.scenarios.test_workers import end_sessions, outcomes, runner_of, wait_done


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def effects(transactional_db: None) -> Iterator[None]:
    """A table of the operator's own."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS effects (job_id uuid, attempt int)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE effects")


def rows() -> list[tuple[Any, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT job_id, attempt FROM effects")
        return list(cursor.fetchall())


def transactional(org: Org, task: str, max_attempts: int = 1, **kwargs: Any) -> Job:
    return make_job(org, payload={"task": f"child_tasks.{task}", "kwargs": kwargs}, max_attempts=max_attempts)


@pytest.mark.usefixtures("effects")
def test_effect_and_end_are_there_together_or_not_at_all(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    fleet.scheduler()
    (worker,) = fleet.workers(1)
    gate, tried = tmp_path / "gate", tmp_path / "tried"

    waits = transactional(org, "effect", path=str(tried), gate=str(gate))
    fails = transactional(org, "effect_then_error", max_attempts=2, path=str(tried))
    patiently(lambda: Job.objects.filter(pk=fails.pk, status="failed").exists())
    assert rows() == []
    gate.touch()
    wait_done(waits)

    assert rows() == [(waits.pk, 1)]
    assert outcomes(fails) == ["error", "error"]
    assert Counter(line.split()[0] for line in tried.read_text().splitlines()) == {str(waits.pk): 1, str(fails.pk): 2}
    assert LogLine.objects.filter(job_id=waits.pk, text="writing").count() == 1
    assert Job.objects.get(pk=waits.pk).result == 1
    assert worker.running
    assert "fenced" not in worker.text
    assert_whole()


@pytest.mark.usefixtures("effects")
def test_a_worker_that_lost_its_lease_has_no_effect(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    fleet.watchdog()
    workers = fleet.workers(2)
    gate = tmp_path / "gate"
    job = transactional(org, "effect", max_attempts=3, path=str(tmp_path / "tried"), gate=str(gate))
    sleeper, _ = runner_of(job, workers)
    sleeper.send(signal.SIGSTOP)
    patiently(lambda: Lease.objects.filter(attempt=2).exists())
    gate.touch()
    wait_done(job)

    sleeper.send(signal.SIGCONT)
    patiently(lambda: '"fenced"' in sleeper.text)

    assert rows() == [(job.pk, 2)]
    assert outcomes(job) == ["lost", "done"]
    assert_whole()


@pytest.mark.usefixtures("effects")
def test_under_kills_and_ended_sessions_each_has_its_effect_exactly_once(
    fleet: Fleet, org: Org, tmp_path: Path
) -> None:
    draw = random.Random(7)
    fleet.watchdog()
    fleet.scheduler()
    workers = fleet.workers(2)
    jobs = [
        transactional(org, "effect", max_attempts=25, path=str(tmp_path / "tried"), seconds=0.1) for _ in range(400)
    ]
    ids = [job.pk for job in jobs]

    def left() -> int:
        return Job.objects.filter(pk__in=ids).exclude(status="done").count()

    for number in range(8):
        before = left()
        if not before:
            break
        if draw.random() < 0.5:
            workers.pop(draw.randrange(len(workers))).send(signal.SIGKILL)
            workers += fleet.workers(1)
        else:
            end_sessions()
        patiently(lambda before=before: left() < before)
        print(f"fault {number}: {left()} left")
    wait_done(*jobs)

    assert Counter(job_id for job_id, _ in rows()) == Counter(ids)
    winners = dict(Attempt.objects.filter(outcome="done").values_list("job_id", "number"))
    assert dict(rows()) == winners
    assert_whole()
