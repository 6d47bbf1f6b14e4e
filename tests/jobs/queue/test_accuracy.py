"""How near predictions were is left with each end and summed up by the leader, exactly."""

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from jobs.models import Accuracy, Attempt, Job, Learning, Lease, ModelVersion, RunDelta, RuntimeMemory
from jobs.queue import sql
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.upkeep import fold_runs, note_drift
from jobs.states import Outcome
from orgs.models import Org
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_history, make_job, make_org, make_version

pytestmark = pytest.mark.django_db

SUMS = (
    "runs", "log2_error", "log2_bias", "relative_error", "within_2x", "ranged", "in_range", "risked", "risk", "failed",
)  # fmt: skip
ARRAYS = (
    "runtimes_ms", "failed", "ended", "predicted_ms", "predicted_low_ms", "predicted_high_ms", "failure_probability",
    "model_version",
)  # fmt: skip
DELTA = """
    INSERT INTO jobs_rundelta (org_id, person, type, name, runtimes_ms, failed, ended, predicted_ms, predicted_low_ms,
        predicted_high_ms, failure_probability, model_version)
    VALUES (%(org_id)s, '', 't', 'n', '{1}', '{false}', '{1}', '{1}', '{NULL}', '{NULL}', '{NULL}', '{NULL}')
"""
OUTCOMES = (Outcome.DONE, Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.CANCELLED, Outcome.RELEASED)


def fold_all() -> None:
    while fold_runs():
        pass


def run_many(org: Org, count: int, rng: random.Random) -> dict[Any, float | None]:
    """End attempts of all kinds of predictions, run times and outcomes in one batch; failure probabilities by job."""
    enqueue_many([NewJob(type="python", payload={"task": "demo.fail_always"})] * count, org=org, user=None)
    ended, risks = [], {}
    for claimed in claim_all(slots=count):
        low = rng.choice([None, rng.uniform(1, 500)])
        risks[claimed.job_id] = rng.choice([None, rng.random()])
        Lease.objects.filter(job_id=claimed.job_id).update(
            leased_at=Now() - timedelta(milliseconds=rng.lognormvariate(5, 3)),
            predicted_ms=rng.lognormvariate(5, 3),
            predicted_low_ms=low,
            predicted_high_ms=None if low is None else low * rng.uniform(1, 9),
            model_version=rng.choice([None, 1, 2]),
            failure_probability=risks[claimed.job_id],
        )
        ended.append(Ended(claimed, rng.choice(OUTCOMES)))
    finish(ended, worker_name="tester-1")
    return risks


def expected(risks: dict[Any, float | None]) -> dict[tuple[int, datetime, int], dict[str, float]]:
    """The sums, from the attempts themselves."""
    found: dict[tuple[int, datetime, int], Counter[str]] = {}
    for one in Attempt.objects.filter(outcome__in=["done", "error", "timeout"]):
        hour = one.ended_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        sums = found.setdefault((one.org_id, hour, one.model_version or 0), Counter(dict.fromkeys(SUMS, 0)))
        predicted, actual, risk = max(one.predicted_ms, 1), max(one.runtime_ms, 1), risks[one.job_id]
        log2_ratio = math.log2(predicted / actual)
        sums["runs"] += 1
        sums["log2_error"] += abs(log2_ratio)
        sums["log2_bias"] += log2_ratio
        sums["relative_error"] += abs(predicted - actual) / actual
        sums["within_2x"] += abs(log2_ratio) <= 1
        if one.predicted_low_ms is not None and one.predicted_high_ms is not None:
            sums["ranged"] += 1
            sums["in_range"] += one.predicted_low_ms <= one.runtime_ms <= one.predicted_high_ms
        if risk is not None:
            sums["risked"] += 1
            sums["risk"] += risk
            sums["failed"] += one.outcome != "done"
    return {key: dict(sums) for key, sums in found.items()}


def stored() -> dict[tuple[int, datetime, int], dict[str, float]]:
    return {
        (row.org_id, row.hour, row.model_version): {name: getattr(row, name) for name in SUMS}
        for row in Accuracy.objects.all()
    }


def test_the_sums_of_an_hour_are_those_of_its_attempts(world: World) -> None:
    rng = random.Random(1)
    risks = run_many(world.org, 60, rng) | run_many(world.rival, 20, rng)
    fold_all()
    risks |= run_many(world.org, 30, rng)

    fold_all()

    wanted = expected(risks)
    assert stored().keys() == wanted.keys()
    for key, sums in wanted.items():
        assert stored()[key] == pytest.approx(sums)
    assert not RunDelta.objects.exists()
    of_org = Counter({row.org_id: row.runs for row in Learning.objects.all()})
    assert of_org == Counter(
        Attempt.objects.filter(outcome__in=["done", "error", "timeout"]).values_list("org_id", flat=True)
    )


def test_an_attempt_keeps_what_was_predicted_of_its_job(world: World) -> None:
    job = make_job(world.org)
    Job.objects.filter(pk=job.pk).update(predicted_low_ms=5.0, predicted_high_ms=50.0, model_version=7)
    (claimed,) = claim_all()

    assert finish_one(claimed)

    attempt, delta = Attempt.objects.get(), RunDelta.objects.get()
    assert (attempt.predicted_low_ms, attempt.predicted_high_ms, attempt.model_version) == (5.0, 50.0, 7)
    assert (delta.predicted_low_ms, delta.predicted_high_ms, delta.model_version) == ([5.0], [50.0], [7])
    assert (delta.predicted_ms, delta.failure_probability) == ([attempt.predicted_ms], [job.failure_probability])


def test_ends_of_one_kind_and_batch_leave_one_row_behind(world: World) -> None:
    enqueue_many([NewJob(type="python", payload={"task": "demo.fail_always"})] * 50, org=world.org, user=None)

    finish([Ended(claimed, Outcome.DONE) for claimed in claim_all()], worker_name="tester-1")

    delta = RunDelta.objects.get()
    assert {len(getattr(delta, name)) for name in ARRAYS} == {50}


def test_runs_of_which_nothing_was_predicted_are_remembered_and_not_compared(world: World) -> None:
    make_history(world.org, [1.0, 2.0])

    assert RuntimeMemory.objects.get(level=4).runs == 2
    assert not Accuracy.objects.exists()
    assert not Learning.objects.exists()


def test_the_hour_of_a_run_is_that_of_its_end_in_utc(world: World) -> None:
    ends = [datetime(2026, 3, 1, 9, 59, 59, 999_999, UTC), datetime(2026, 3, 1, 10, 0, 0, 1, UTC)]
    with connection.cursor() as cursor:
        # half an hour beside
        cursor.execute("SET LOCAL TimeZone = 'Asia/Kolkata'")
        leave_runs(world.org, [end.timestamp() for end in ends])
        fold_all()
        cursor.execute("SET LOCAL TimeZone = 'UTC'")

    hours = Accuracy.objects.order_by("hour").values_list("hour", "runs")
    assert list(hours) == [(datetime(2026, 3, 1, hour, tzinfo=UTC), 1) for hour in (9, 10)]


def leave_runs(org: Org, ended: list[float]) -> RunDelta:
    each = dict.fromkeys(("runtimes_ms", "predicted_ms"), [1.0] * len(ended))
    return RunDelta.objects.create(org_id=org.pk, type="t", name="n", failed=[False] * len(ended), ended=ended, **each)


def test_a_fold_that_is_undone_has_counted_nothing(world: World) -> None:
    run_many(world.org, 20, random.Random(2))
    waiting = sum(len(ended) for ended in RunDelta.objects.values_list("ended", flat=True))

    with transaction.atomic():
        fold_all()
        # as when the leader is gone
        transaction.set_rollback(True)
    assert not Accuracy.objects.exists()
    assert not RuntimeMemory.objects.exists()
    fold_all()

    assert sum(Accuracy.objects.values_list("runs", flat=True)) == waiting
    assert Learning.objects.get().runs == RuntimeMemory.objects.get(level=4).runs == waiting


@pytest.mark.django_db(transaction=True)
def test_ends_not_yet_committed_are_folded_later() -> None:
    org = make_org()
    with elsewhere() as session:
        session.execute(DELTA, {"org_id": org.pk})
        leave_runs(org, [1.0])
        fold_all()
        assert Learning.objects.get().runs == 1
        session.execute("COMMIT")
        session.execute("BEGIN")
    fold_all()

    assert Learning.objects.get().runs == 2


def test_old_hours_are_forgotten(world: World) -> None:
    for days in (1, 91):
        make_hour(world.org, hours_ago=24 * days)

    sql.run("prune_accuracy", days=90)

    assert Accuracy.objects.get().hour > datetime.now(UTC) - timedelta(days=2)


# --- drift ----------------------------------------------------------------------------------------------------------


def make_hour(org: Org, hours_ago: float = 0.0, **fields: Any) -> Accuracy:
    """An hour of a hundred runs whose predictions were off by a factor of two, unless said otherwise."""
    about: dict[str, Any] = dict.fromkeys(SUMS, 0)
    about |= {"runs": 100, "log2_error": 100.0, "model_version": 1, "org_id": org.pk}
    about |= {"hour": datetime.now(UTC) - timedelta(hours=hours_ago)}
    return Accuracy.objects.create(**{**about, **fields})


@pytest.fixture
def drifting(world: World) -> Org:
    """Its model was promoted with an error of 0.5; that of its last hundred runs was 1."""
    make_version(world.org, 1, active=True, metrics={"malr": 0.5})
    Learning.objects.create(org_id=world.org.pk, runs=100)
    make_hour(world.org)
    return world.org


def worse(org: Org) -> bool:
    note_drift()
    return Learning.objects.get(org_id=org.pk).worse_since is not None


def test_since_when_a_model_is_worse_is_noted_once_and_forgotten_when_it_is_not(drifting: Org) -> None:
    assert worse(drifting)
    since = Learning.objects.get().worse_since
    assert worse(drifting)
    assert Learning.objects.get().worse_since == since

    Accuracy.objects.update(log2_error=60.0)

    assert not worse(drifting)


@pytest.mark.parametrize(
    "hour", [{"model_version": 2}, {"runs": 99, "log2_error": 99.0}, {"hours_ago": 7.0}, {"log2_error": 74.0}]
)
def test_what_says_nothing_against_the_model_in_use_is_not_noted(drifting: Org, hour: dict[str, Any]) -> None:
    Accuracy.objects.all().delete()
    make_hour(drifting, **hour)

    assert not worse(drifting)


def test_nobody_elses_runs_make_a_model_drift(drifting: Org, world: World) -> None:
    make_version(world.rival, 1, active=True, metrics={"malr": 0.5})
    Learning.objects.create(org_id=world.rival.pk)

    assert worse(drifting)
    assert not worse(world.rival)


def test_a_model_that_is_hardly_ever_wrong_may_be_so_a_little_more_often(drifting: Org) -> None:
    Accuracy.objects.update(log2_error=14.0)
    ModelVersion.objects.update(metrics={"malr": 0.01})

    assert not worse(drifting)
