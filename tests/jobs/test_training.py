"""manage.py train, from stored runs to a model that predicts."""

from collections.abc import Sequence
from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from pytest_django.fixtures import Settings

from jobs import active_model
from jobs.estimates import Asked, estimate, estimate_many
from jobs.models import Attempt, Job, Learning, ModelVersion
from jobs.queue import sql
from jobs.training import LOCK_SPACE, Verdict, runs_to_learn
from orgs.models import Org
from predictor.memory import LEVELS
from predictor.runtime import Submission
from predictor.train import TrainedModel
from predictor.train import train as really_train
from smartqueue.database import database_url
from tests.conftest import World
from tests.factories import PastRun, claim_all, finish_one, make_history, make_job, make_runs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def patient(db: None) -> None:
    """These train within the transaction of the test, which is idle meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def payload_decides(count: int, scale: float = 1.0) -> list[PastRun]:
    """Runs of four kinds whose time grows with the payload, which no simple predictor looks at."""
    rng = np.random.default_rng(1)
    sizes = np.exp(rng.uniform(3, 9, count))
    return [
        PastRun(float(scale * size * 3 * rng.lognormal(0, 0.05)), "python", f"report {n % 4}", int(size))
        for n, size in enumerate(sizes)
    ]


def train(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("train", *args, stdout=out, **options)
    active_model.forget_models()
    return out.getvalue()


def test_a_model_is_trained_stored_used_and_predicts_better_than_history(world: World) -> None:
    make_runs(world.org, payload_decides(600), user=world.operator)
    make_history(world.org, [300.0, 20_000.0, 900.0, 5_000.0], name="report 1", user=world.operator)

    said = train("--org", "acme")

    assert "version 1 stored and in use" in said
    small, large = (estimate(world.org, Asked("python", "report 1", size), user=world.operator) for size in (40, 6000))
    assert (small.source, small.model_version) == ("model", 1)
    assert small.ms < 500 < 5_000 < large.ms
    assert small.low_ms is not None
    assert small.high_ms is not None
    assert small.low_ms <= small.ms <= small.high_ms


def test_a_job_stored_after_training_carries_the_models_version_and_range(world: World) -> None:
    make_runs(world.org, payload_decides(300), user=world.operator)
    make_history(world.org, [1000.0])
    train("--org", "acme")

    job = make_job(world.org, world.operator)

    assert (job.prediction_source, job.model_version) == ("model", 1)
    assert job.predicted_low_ms is not None
    assert job.priority == pytest.approx(1 / (1 + job.predicted_ms / 3000))


def test_the_figures_are_said_and_stored(world: World) -> None:
    make_runs(world.org, payload_decides(300))

    said = train("--org", "acme")

    stored = ModelVersion.objects.get(org=world.org)
    assert stored.samples == 300
    assert stored.metrics["held_out"] == 60
    for name in ("ewma", "last_two", "type_median"):
        assert stored.metrics["malr"] < stored.metrics[name]["malr"]
        assert f"{name} {stored.metrics[name]['malr']:.3f}" in said
    assert f"model {stored.metrics['malr']:.3f}" in said


def test_too_few_runs_are_said_and_nothing_is_stored(world: World, settings: Settings) -> None:
    make_runs(world.org, [PastRun(10.0)] * (settings.TRAIN_MIN_RUNS - 1))

    said = train("--org", "acme")

    assert said.strip() == "acme: 99 runs, at least 100 needed; nothing was trained"
    assert not ModelVersion.objects.exists()


def test_a_dry_run_measures_and_stores_nothing(world: World) -> None:
    make_runs(world.org, payload_decides(200))

    said = train("--org", "acme", "--dry-run")

    assert "dry run, nothing stored" in said
    assert not ModelVersion.objects.exists()


def test_an_unknown_organisation_is_an_error(world: World) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        train("--org", "nowhere")


def test_without_an_organisation_each_gets_a_model_of_its_own_runs(world: World) -> None:
    make_runs(world.org, payload_decides(200))
    make_runs(world.rival, payload_decides(200, scale=50.0))

    train(max_seconds=5)

    ours, theirs = (active_model.read_model(ModelVersion.objects.get(org=org)) for org in (world.org, world.rival))
    assert ours is not None
    assert theirs is not None
    submission = Submission("python", "report 1", "", 500, 1.7e9, (None,) * len(LEVELS))
    assert theirs.model.predict([submission])[0].ms > ours.model.predict([submission])[0].ms


def test_training_reads_no_run_of_another_organisation(world: World) -> None:
    make_runs(world.org, [PastRun(10.0), PastRun(20.0)])
    make_runs(world.rival, [PastRun(99_000.0)] * 3)

    learned = runs_to_learn(world.org)

    assert [row.runtime_ms for row in learned] == [10.0, 20.0]


def test_only_the_newest_runs_are_read_in_the_order_of_their_submits(world: World, settings: Settings) -> None:
    settings.TRAIN_MAX_RUNS = 3
    make_runs(world.org, [PastRun(float(n), failed=n == 8) for n in range(1, 10)], user=world.viewer)

    learned = runs_to_learn(world.org)

    assert [(row.runtime_ms, row.failed, row.user) for row in learned] == [
        (7.0, False, "viewer"),
        (8.0, True, "viewer"),
        (9.0, False, "viewer"),
    ]


def test_what_is_learned_of_a_timeout_is_what_was_told_at_submit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float | None] = []

    def listening(org: Org, asked: Sequence[Asked], **options: Any) -> Any:
        told.extend(one.requested_ms for one in asked)
        return estimate_many(org, asked, **options)

    monkeypatch.setattr("jobs.queue.described.estimate_many", listening)
    for timeout in (None, 300, 90):
        make_job(world.org, timeout_seconds=timeout)
    for claimed in claim_all():
        finish_one(claimed)

    assert told == [None, None, 90_000.0]
    assert [row.requested_ms for row in runs_to_learn(world.org)] == told


def test_a_model_no_better_than_the_simple_predictors_is_kept_but_not_used(world: World) -> None:
    ModelVersion.objects.create(org=world.org, version=1, weights=b"", samples=100, active=True)
    # The last run says it all: nothing can be better.
    make_runs(world.org, [PastRun(500.0)] * 200)

    said = train("--org", "acme")

    assert "version 2 stored but not used" in said
    assert list(ModelVersion.objects.filter(active=True).values_list("version", flat=True)) == [1]


def test_a_version_says_who_made_it_and_why_it_is_in_use(world: World) -> None:
    make_runs(world.org, payload_decides(300))
    Learning.objects.create(org_id=world.org.pk, runs=300, failures=2, error="It ended with status 1.")

    said = train("--org", "acme")

    stored, learning = ModelVersion.objects.get(), Learning.objects.get()
    assert (stored.source, stored.promoted_by, stored.previous) == ("command", "command", None)
    assert stored.reason.startswith("promoted: ")
    assert stored.reason in said
    assert stored.trained_seconds is not None
    assert stored.promoted_at is not None
    assert (learning.runs, learning.trained_runs, learning.failures, learning.error) == (300, 300, 0, "")
    assert learning.trained_at is not None


def test_training_goes_on_from_the_model_in_use_and_is_measured_against_it(world: World) -> None:
    make_runs(world.org, payload_decides(400))
    Job.objects.update(created_at=F("created_at") - timedelta(days=1))
    Attempt.objects.update(ended_at=F("ended_at") - timedelta(days=1))
    train("--org", "acme")
    make_runs(world.org, payload_decides(100))

    train("--org", "acme", max_seconds=3)

    second = ModelVersion.objects.get(version=2)
    # half of what is new to both
    assert second.metrics["held_out"] == 50
    assert second.metrics["current"]["malr"] < 0.8 * second.metrics["ewma"]["malr"]
    # three seconds from nothing would be far from it
    assert second.metrics["malr"] < 2 * second.metrics["current"]["malr"]


def test_a_version_put_into_use_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(world.org, payload_decides(300))
    train("--org", "acme", max_seconds=0.2)
    ModelVersion.objects.update(active=True)

    def roll_back_meanwhile(*args: Any, **options: Any) -> TrainedModel:
        trained = really_train(*args, **options)
        ModelVersion.objects.update(active=False)
        metrics = {**trained.metrics, "malr": 0.0, "held_out": 60.0}
        return TrainedModel(trained.model, metrics)

    monkeypatch.setattr("jobs.training.train", roll_back_meanwhile)
    said = train("--org", "acme", max_seconds=0.2)

    assert "version 2 stored but not used (kept back: another version was put into use while it was trained)" in said
    assert not ModelVersion.objects.filter(active=True).exists()


def test_what_a_training_stores_is_stored_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(world.org, payload_decides(150))
    Learning.objects.create(org_id=world.org.pk, runs=150)

    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("jobs.training.switch", broken)
    monkeypatch.setattr("jobs.training.judge", lambda *_: Verdict(True, "promoted"))
    with pytest.raises(RuntimeError, match="broken"):
        train("--org", "acme", max_seconds=0.2)

    assert not ModelVersion.objects.exists()
    assert Learning.objects.get().trained_at is None


def test_the_newest_versions_are_kept_and_the_one_in_use_and_the_one_before_it(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODEL_VERSIONS_KEPT = 2
    make_runs(world.org, payload_decides(150))
    promoted = iter([True, False, True, False, False, False])
    monkeypatch.setattr("jobs.training.judge", lambda *_: Verdict(next(promoted), "for the test"))

    for _ in range(6):
        train("--org", "acme", max_seconds=3)

    versions = ModelVersion.objects.order_by("version").values_list("version", "active", "previous")
    assert list(versions) == [(1, False, None), (3, True, 1), (5, False, None), (6, False, None)]


def test_two_trainings_of_an_organisation_do_not_meet(world: World) -> None:
    make_runs(world.org, payload_decides(150))
    text = sql.statement("lock_training").text
    with psycopg.connect(database_url_of_test(), autocommit=True) as other:
        other.execute(text, {"space": LOCK_SPACE, "org_id": world.org.pk})

        said = train()

    assert "acme: another training is under way; nothing was trained" in said
    assert not ModelVersion.objects.filter(org=world.org).exists()


def test_the_lock_is_given_back_also_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(world.org, payload_decides(150))

    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr("jobs.training.train", broken)
        with pytest.raises(RuntimeError, match="broken"):
            train("--org", "acme")

    with psycopg.connect(database_url_of_test(), autocommit=True) as other:
        row = other.execute(
            sql.statement("lock_training").text, {"space": LOCK_SPACE, "org_id": world.org.pk}
        ).fetchone()
    assert row == (True,)


def database_url_of_test() -> str:
    return psycopg.conninfo.make_conninfo(database_url(), dbname=connection.settings_dict["NAME"])
