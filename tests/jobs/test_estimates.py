"""The estimate at submit: its chain, from a trained model down to the default."""

import pytest
from pytest_django.fixtures import Settings

from jobs import estimates
from jobs.estimates import Estimate
from predictor.runtime import untrained
from predictor.weights import dump
from tests.conftest import World
from tests.factories import make_history, make_job
from tests.jobs.models_in_use import always, ask, give_model, use_model

pytestmark = pytest.mark.django_db


def test_a_new_tenant_gets_the_default(world: World, settings: Settings) -> None:
    job = make_job(world.org)

    assert (job.predicted_ms, job.prediction_source) == (settings.DEFAULT_PREDICTED_MS, "default")
    assert job.priority == pytest.approx(0.6)


def test_an_unknown_job_is_taken_for_one_like_its_types(world: World) -> None:
    make_history(world.org, [90_000.0] * 20, type="shell", user=world.owner)
    make_history(world.org, [100.0] * 20, name="one", user=world.operator)

    found = ask(world.org, name="never seen")

    assert found.source == "similar"
    assert found.low_ms is not None
    assert found.high_ms is not None
    assert found.low_ms < 100 < found.high_ms
    assert 50 < found.ms < 1_000


def test_a_known_job_is_taken_for_one_like_its_own_last_runs_with_a_range(world: World) -> None:
    make_history(world.org, [5.0] * 20, name="other")
    make_history(world.org, [100.0] * 5 + [10_000.0] * 10)

    found = ask(world.org)

    assert found.source == "history"
    assert 5_000 < found.ms < 12_000
    assert found.low_ms is not None
    assert found.high_ms is not None
    assert found.low_ms < found.ms < found.high_ms


def test_jobs_that_often_failed_are_likelier_to_fail(world: World) -> None:
    make_history(world.org, [100.0] * 20, name="sound")
    make_history(world.org, [100.0] * 20, name="broken", failed=True)

    sound, broken = ask(world.org, name="sound"), ask(world.org, name="broken")

    assert sound.failure_probability is not None
    assert broken.failure_probability is not None
    assert sound.failure_probability < 0.2 < 0.8 < broken.failure_probability


def test_a_person_is_predicted_by_his_own_runs_before_those_of_others(world: World) -> None:
    make_history(world.org, [100.0] * 20, user=world.operator)
    make_history(world.org, [60_000.0] * 20, user=world.owner)

    ours, theirs = (make_job(world.org, user=user) for user in (world.operator, world.owner))

    assert ours.predicted_ms < 1_000 < 20_000 < theirs.predicted_ms


def test_the_model_is_told_of_an_explicit_timeout_and_of_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_history(world.org, [100.0])
    told: list[float | None] = []
    answer = always(700.0)
    use_model(world.org, monkeypatch, lambda asked: told.extend(one.requested_ms for one in asked) or answer(asked))

    make_job(world.org, timeout_seconds=90)
    make_job(world.org)

    assert told == [90_000.0, None]


def test_a_known_job_gets_what_the_model_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(world.org, [100.0])
    use_model(world.org, monkeypatch, always(700.0))

    assert ask(world.org) == Estimate(700.0, 350.0, 1400.0, 0.25, "model", 1)


def test_one_organisations_history_and_model_are_nothing_to_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_history(world.rival, [100.0])
    use_model(world.rival, monkeypatch, always(700.0))

    assert ask(world.org).source == "default"


def test_real_weights_predict_from_the_history(world: World) -> None:
    make_history(world.org, [900.0])
    give_model(world.org, weights=dump(untrained()))

    found = ask(world.org)

    assert found.source == "model"
    assert 800 < found.ms < 2_000


@pytest.mark.parametrize("weights", [b"", b"\x89PNG", dump(untrained())[:-50]], ids=["empty", "other", "cut"])
def test_broken_weights_fall_back_to_history(world: World, weights: bytes) -> None:
    make_history(world.org, [100.0])
    give_model(world.org, weights=weights)

    job = make_job(world.org)

    assert (job.prediction_source, job.model_version) == ("history", None)
    assert job.predicted_ms == pytest.approx(100.0, rel=2)


def test_a_prediction_beyond_a_week_is_a_week(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(world.org, [100.0])
    use_model(world.org, monkeypatch, always(1e30))

    found = ask(world.org)

    assert (found.source, found.ms) == ("model", estimates.MAX_MS)
