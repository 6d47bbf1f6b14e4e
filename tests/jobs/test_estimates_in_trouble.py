"""Nothing that a model or a query does fails or delays a submit."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from jobs import active_model, estimates, memories
from jobs.models import Job
from predictor.runtime import Prediction, RuntimeModel, Submission
from tests.conftest import World
from tests.factories import api, make_history, make_job
from tests.jobs.models_in_use import Answer, always, ask, give_model, use_model

pytestmark = pytest.mark.django_db


def raising(submissions: Sequence[Submission]) -> Any:
    raise ZeroDivisionError


UNUSABLE: dict[str, Answer] = {
    "raises": raising,
    "NaN": always(float("nan")),
    "infinity": always(float("inf")),
    "zero": always(0.0),
    "negative": always(-5.0),
    "too few": lambda submissions: [],
    "too many": lambda submissions: [Prediction(1.0, 1.0, 1.0, 0.0)] * (len(submissions) + 1),
    "NaN as its chance of failure": lambda submissions: [Prediction(1.0, 1.0, 1.0, float("nan"))] * len(submissions),
    "a chance above 1": lambda submissions: [Prediction(1.0, 1.0, 1.0, 1.5)] * len(submissions),
    "nothing": lambda submissions: None,
    "no numbers": lambda submissions: [Prediction("1", "1", "1", "0")] * len(submissions),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_model_that_fails_is_passed_over_and_then_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, answer)

    jobs = [make_job(world.org), make_job(world.org)]

    assert [job.prediction_source for job in jobs] == ["history", "history"]
    assert model.asked == 1
    assert [record.levelname for record in caplog.records if record.name == "jobs.estimates"] == ["ERROR"]
    assert all(job.predicted_low_ms < job.predicted_ms < job.predicted_high_ms for job in jobs)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """What a hanging model waits for: set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "deadline":
            thread.join(5)


def test_a_model_that_hangs_holds_no_submit_up_for_longer_than_its_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings, stuck: threading.Event
) -> None:
    settings.PREDICT_SECONDS, settings.MODEL_REST_SECONDS = 0.02, 0
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, lambda submissions: stuck.wait(30))

    jobs = [make_job(world.org) for _ in range(3)]

    assert [job.prediction_source for job in jobs] == ["history"] * 3
    # While the call is still under way the model is not asked again, so that threads cannot pile up.
    assert model.asked == 1
    assert not stuck.is_set()


@pytest.mark.parametrize("answer", [*UNUSABLE, "hangs"])
def test_a_submit_over_rest_is_taken_whatever_the_model_does(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings, stuck: threading.Event, answer: str
) -> None:
    settings.PREDICT_SECONDS = 0.02 if answer == "hangs" else 30
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, UNUSABLE.get(answer, lambda submissions: stuck.wait(30)))
    body = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}

    response = api(world.operator).post("/api/v1/jobs/", body)

    assert (response.status_code, model.asked) == (201, 1)
    assert Job.objects.get(pk=response.json()["id"]).prediction_source == "history"
    assert not stuck.is_set()


def test_a_model_is_asked_again_when_it_has_rested_and_its_call_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings, stuck: threading.Event
) -> None:
    settings.PREDICT_SECONDS, settings.MODEL_REST_SECONDS = 0.02, 0
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, lambda submissions: stuck.wait(30))
    assert ask(world.org).source == "history"
    loaded = active_model.current_model(world.org)
    assert loaded is not None
    (thread,) = loaded.overdue
    stuck.set()
    thread.join(5)
    model.answer, settings.PREDICT_SECONDS = always(700.0), 30

    assert ask(world.org).source == "model"


def test_a_new_version_ends_the_rest_of_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.MODEL_RELOAD_SECONDS = 0
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, raising)
    assert ask(world.org).source == "history"
    model.answer = always(700.0)
    give_model(world.org, version=2)

    found = ask(world.org)

    assert (found.source, found.model_version) == ("model", 2)


def test_a_failing_query_falls_back_and_spoils_no_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr(estimates, "past", broken)

    with transaction.atomic():
        job = make_job(world.org)

    assert Job.objects.get(pk=job.pk).prediction_source == "default"


def test_a_failing_query_of_memories_is_no_failing_submit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, **params: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with monkeypatch.context() as patched:
        patched.setattr(memories.sql, "rows", broken)
        found = ask(world.org)

    assert found == estimates.default()
    assert make_job(world.org).prediction_source == "default"


@pytest.mark.parametrize("answer", [raising, always(float("nan"))], ids=["raises", "NaN"])
def test_when_even_the_first_guesses_fail_the_memories_give_a_number(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    make_history(world.org, [100.0] * 20)
    monkeypatch.setattr(RuntimeModel, "predict", lambda self, submissions: answer(submissions))

    jobs = [make_job(world.org), make_job(world.rival)]

    assert [job.prediction_source for job in jobs] == ["history", "default"]
    assert jobs[0].predicted_ms == pytest.approx(100.0, rel=2)
    assert (jobs[0].predicted_low_ms, jobs[1].failure_probability) == (None, None)
