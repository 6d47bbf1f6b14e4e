"""Ends that share a commit, with each other and with the next claim; and those that wait for nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DataError, connection

from jobs.models import Attempt, Job, Lease, Ready
from jobs.processes import worker as worker_module
from jobs.processes.loop import Loop
from jobs.queue import sql
from jobs.queue.claim import ANYWHERE, Ask
from jobs.queue.finish import Ended, finish_and_claim
from jobs.states import Outcome
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import WORKER, claim_all, make_job, make_org
from tests.jobs.processes.stepping import MakeWorker, idle, step_until, task
from tests.jobs.queue.whole import assert_whole, path_of
from tests.tasks import GATES

pytestmark = pytest.mark.django_db

Round = tuple[str, ...]


@contextmanager
def rounds() -> Iterator[list[Round]]:
    """The hot statements as they are sent: those of one round trip together."""
    sent: list[Round] = []
    together = sql.together

    def counted(*calls: tuple[str, dict[str, Any]]) -> Any:
        sent.append(tuple(name for name, _ in calls))
        return together(*calls)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sql, "together", counted)
        yield sent


def finishing(sent: list[Round]) -> list[Round]:
    return [one for one in sent if "finish" in one]


def no_sleep(self: Loop, seconds: float) -> None:
    raise AssertionError(f"an end waited {seconds} s")


# --- company --------------------------------------------------------------------------------------------------------


def test_ends_that_are_there_are_written_together_with_the_next_claim(make_worker: MakeWorker, world: World) -> None:
    jobs = [make_job(world.org) for _ in range(30)]
    worker = make_worker(slots=20)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 20)

    with rounds() as sent:
        worker.step()

    assert finishing(sent) == [("finish", "claim")]
    assert Job.objects.filter(status="done").count() == 20
    step_until(worker, lambda: Job.objects.filter(status="done").count() == len(jobs))


def test_an_end_waits_for_those_that_may_come_and_the_last_one_ends_the_wait(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "COMPANY_SECONDS", 60.0)
    for _ in range(3):
        task(world.org, "until_released", gate="later")
    make_job(world.org)
    worker = make_worker(slots=4)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 1)
    sleep = Loop.sleep

    def others_end(self: Loop, seconds: float) -> None:
        assert seconds > 1
        GATES["later"].set()
        sleep(self, seconds)

    monkeypatch.setattr(Loop, "sleep", others_end)
    with rounds() as sent:
        worker.step()

    # Long before the minute is over.
    assert len(finishing(sent)) == 1
    assert Job.objects.filter(status="done").count() == 4


def test_an_end_waits_no_longer_than_its_time(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task(world.org, "until_released", gate="never")
    job = make_job(world.org)
    worker = make_worker(slots=2)
    worker.step()
    eventually(lambda: not worker.ends.empty())
    waits: list[float] = []
    sleep = Loop.sleep
    monkeypatch.setattr(Loop, "sleep", lambda self, seconds: (waits.append(seconds), sleep(self, seconds))[1])

    worker.step()

    assert path_of(job.pk)[-1] == "done"
    assert len(worker.attempts) == 1
    assert waits
    assert max(waits) <= worker_module.COMPANY_SECONDS <= 0.005


@pytest.mark.parametrize("slots", [1, 8])
def test_an_end_alone_is_written_at_once(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    job = make_job(world.org)
    worker = make_worker(slots=slots)
    worker.step()
    eventually(lambda: not worker.ends.empty())
    monkeypatch.setattr(Loop, "sleep", no_sleep)

    worker.step()

    assert path_of(job.pk)[-1] == "done"


def test_an_end_does_not_wait_for_a_slot_that_is_stuck(
    make_worker: MakeWorker, world: World, monkeypatch: pytest.MonkeyPatch, no_grace: None
) -> None:
    task(world.org, "stubborn", gate="never", timeout_seconds=1)
    worker = make_worker(slots=2)
    worker.step()
    (stuck,) = worker.attempts.values()
    stuck.context.started -= 10
    eventually(lambda: (worker.keeper.check_deadlines(), stuck.abandoned)[1])
    step_until(worker, idle(worker))
    assert worker.stuck == 1
    job = make_job(world.org)
    step_until(worker, lambda: worker.attempts)
    eventually(lambda: not worker.ends.empty())
    monkeypatch.setattr(Loop, "sleep", no_sleep)

    worker.step()

    assert path_of(job.pk)[-1] == "done"


# --- in one commit, all or none -------------------------------------------------------------------------------------


def ask(slots: int = 10) -> Ask:
    return Ask("default", ["python"], slots, WORKER, "tester-1", {"python": ANYWHERE})


@pytest.mark.django_db(transaction=True)
def test_ends_and_the_next_claim_are_one_commit() -> None:
    org = make_org()
    make_job(org)
    (first,) = claim_all()
    second = make_job(org)

    settled, (taken,) = finish_and_claim([Ended(first, Outcome.DONE, result=1)], ask())

    assert [one.job_id for one in settled] == [first.job_id]
    assert taken.job_id == second.pk
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT xmin::text) FROM jobs_transition"
            " WHERE (job_id, to_status) IN ((%s, 'done'), (%s, 'running'))",
            [first.job_id, second.pk],
        )
        assert cursor.fetchone() == (1,)
    assert_whole()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "said"), [(Outcome.DONE, {"result": "\0"}), (Outcome.ERROR, {"error_type": "a\0b"})]
)
def test_a_refused_end_takes_all_back(outcome: Outcome, said: dict[str, Any]) -> None:
    org = make_org()
    for _ in range(2):
        make_job(org)
    good, bad = claim_all()
    make_job(org)

    with pytest.raises(DataError):
        finish_and_claim([Ended(good, Outcome.DONE), Ended(bad, outcome, **said)], ask())

    assert Lease.objects.count() == 2
    assert Ready.objects.count() == 1
    assert not Attempt.objects.exists()
    # and the session is as good as before
    settled, taken = finish_and_claim([Ended(good, Outcome.DONE)], ask())
    assert (len(settled), len(taken)) == (1, 1)
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_refused_end_loses_neither_the_other_ends_nor_the_next_claim(make_worker: MakeWorker) -> None:
    org = make_org()
    jobs = [make_job(org) for _ in range(6)]
    worker = make_worker(slots=3)
    worker.step()
    eventually(lambda: worker.ends.qsize() == 3)
    worker.collect_ends()
    # As if a handler's result had slipped past the checks.
    attempt, ended = worker.unsettled[1]
    worker.unsettled[1] = (attempt, ended._replace(result="\0"))

    step_until(worker, lambda: not Ready.objects.exists() and not worker.attempts)

    statuses = {job.pk: path_of(job.pk)[-1] for job in jobs}
    assert statuses.pop(attempt.claimed.job_id) == "failed"
    assert set(statuses.values()) == {"done"}
    assert Job.objects.get(status="failed").error_type == "BadResult"
    assert set(Attempt.objects.values_list("number", flat=True)) == {1}
    assert_whole()


@pytest.mark.parametrize("fenced", [0, 2])
def test_a_fenced_end_is_left_out_and_the_claim_goes_on(world: World, fenced: int) -> None:
    for _ in range(3):
        make_job(world.org)
    claims = claim_all()
    Lease.objects.filter(job_id__in=[one.job_id for one in claims[:fenced]]).update(token=WORKER)
    make_job(world.org)

    settled, taken = finish_and_claim([Ended(one, Outcome.DONE) for one in claims], ask())

    assert {one.job_id for one in settled} == {one.job_id for one in claims[fenced:]}
    assert len(taken) == 1


def test_a_renewal_is_one_statement_for_all(
    make_worker: MakeWorker, world: World, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(12):
        task(world.org, "until_released", gate="g")
    worker = make_worker(slots=12)
    worker.step()
    before = dict(Lease.objects.values_list("job_id", "expires_at"))

    with django_assert_num_queries(1):
        worker.keeper.renew()

    assert len(before) == 12
    assert all(lease.expires_at > before[lease.job_id] for lease in Lease.objects.all())
