"""The estimate at submit: its chain, and that nothing in it fails or delays a submit."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from jobs import active_model, estimates
from jobs.estimates import Asked, Estimate, estimate, estimate_many
from jobs.models import Job, ModelVersion, RuntimeHistory
from orgs.models import Org
from predictor.runtime import Prediction, Submission, untrained
from predictor.weights import dump
from tests.conftest import World
from tests.factories import api, make_job

pytestmark = pytest.mark.django_db

Answer = Callable[[Sequence[Submission]], Any]


class FakeModel:
    """Says what it is told to, and how often it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0

    def predict(self, submissions: Sequence[Submission]) -> Any:
        self.asked += 1
        return self.answer(submissions)


def give_history(org: Org, runtimes_ms: Sequence[float], name: str = "demo.add", type: str = "python") -> None:
    RuntimeHistory.objects.create(
        org_id=org.pk,
        type=type,
        name=name,
        runtimes_ms=list(runtimes_ms),
        gaps_seconds=[60.0] * len(runtimes_ms),
        failed=[False] * len(runtimes_ms),
        runs=len(runtimes_ms),
        failures=0,
        last_ended_at="2026-01-01T00:00:00Z",
    )


def give_model(org: Org, version: int = 1, weights: bytes = b"") -> None:
    ModelVersion.objects.filter(org=org).update(active=False)
    ModelVersion.objects.create(org=org, version=version, weights=weights, samples=100, active=True)


def use_model(org: Org, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> FakeModel:
    """An active model of the organisation that answers like this."""
    model = FakeModel(answer)
    give_model(org)
    monkeypatch.setattr(active_model, "load", lambda weights: model)
    return model


def always(ms: float) -> Answer:
    return lambda submissions: [Prediction(ms, ms / 2, ms * 2) for _ in submissions]


def ask(org: Org, name: str = "demo.add", type: str = "python") -> Estimate:
    return estimate(org, type=type, name=name, payload_bytes=50, user="ada")


def test_a_new_tenant_gets_the_default(world: World, settings: Settings) -> None:
    job = make_job(world.org)

    assert (job.predicted_ms, job.prediction_source) == (settings.DEFAULT_PREDICTED_MS, "default")
    assert job.priority == pytest.approx(0.6)


def test_an_unknown_job_gets_the_median_of_its_type(world: World) -> None:
    give_history(world.org, [100.0, 300.0], name="one")
    give_history(world.org, [900.0], name="two")

    found = ask(world.org, name="never seen")

    assert (found.ms, found.source) == (300.0, "type_median")


def test_a_known_job_gets_the_average_of_its_own_runs_the_newest_counting_most(world: World) -> None:
    give_history(world.org, [100.0, 1000.0])
    give_history(world.org, [5.0], name="other")

    found = ask(world.org)

    assert found.source == "history"
    assert found.ms == pytest.approx(math.exp((math.log(1000) + 0.5 * math.log(100)) / 1.5))


def test_a_known_job_gets_what_the_model_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    give_history(world.org, [100.0])
    use_model(world.org, monkeypatch, always(700.0))

    assert ask(world.org) == Estimate(700.0, 350.0, 1400.0, "model", 1)


def test_one_organisations_history_and_model_are_nothing_to_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_history(world.rival, [100.0])
    use_model(world.rival, monkeypatch, always(700.0))

    assert ask(world.org).source == "default"


def test_real_weights_predict_from_the_history(world: World) -> None:
    give_history(world.org, [900.0])
    give_model(world.org, weights=dump(untrained()))

    found = ask(world.org)

    assert (round(found.ms), found.source) == (900, "model")


@pytest.mark.parametrize("weights", [b"", b"\x89PNG", dump(untrained())[:-50]], ids=["empty", "other", "cut"])
def test_broken_weights_fall_back_to_history(world: World, weights: bytes) -> None:
    give_history(world.org, [100.0])
    give_model(world.org, weights=weights)

    job = make_job(world.org)

    assert (job.predicted_ms, job.prediction_source, job.model_version) == (pytest.approx(100.0), "history", None)


def raising(submissions: Sequence[Submission]) -> Any:
    raise ZeroDivisionError


UNUSABLE: dict[str, Answer] = {
    "raises": raising,
    "NaN": always(float("nan")),
    "infinity": always(float("inf")),
    "zero": always(0.0),
    "negative": always(-5.0),
    "too few": lambda submissions: [],
    "too many": lambda submissions: [Prediction(1.0, 1.0, 1.0)] * (len(submissions) + 1),
    "nothing": lambda submissions: None,
    "no numbers": lambda submissions: [Prediction("1", "1", "1")] * len(submissions),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_model_that_fails_is_passed_over_and_then_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, answer)

    jobs = [make_job(world.org), make_job(world.org)]

    assert [job.prediction_source for job in jobs] == ["history", "history"]
    assert model.asked == 1
    assert [record.levelname for record in caplog.records if record.name == "jobs.estimates"] == ["ERROR"]


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
    give_history(world.org, [100.0])
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
    give_history(world.org, [100.0])
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
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, lambda submissions: stuck.wait(30))
    assert ask(world.org).source == "history"
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "deadline"]
    stuck.set()
    thread.join(5)
    model.answer, settings.PREDICT_SECONDS = always(700.0), 30

    assert ask(world.org).source == "model"


def test_a_new_version_ends_the_rest_of_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.MODEL_RELOAD_SECONDS = 0
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, raising)
    assert ask(world.org).source == "history"
    model.answer = always(700.0)
    give_model(world.org, version=2)

    found = ask(world.org)

    assert (found.source, found.model_version) == ("model", 2)


def test_a_prediction_beyond_a_week_is_a_week(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    give_history(world.org, [100.0])
    use_model(world.org, monkeypatch, always(1e30))

    found = ask(world.org)

    assert (found.source, found.ms) == ("model", estimates.MAX_MS)


def test_a_failing_query_falls_back_and_spoils_no_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr(estimates, "past", broken)

    with transaction.atomic():
        job = make_job(world.org)

    assert Job.objects.get(pk=job.pk).prediction_source == "default"


def test_many_jobs_cost_one_call_of_the_model_and_few_queries(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, always(700.0))
    asked = [Asked("python", "demo.add" if n % 2 else "new", 10) for n in range(200)]

    with django_assert_max_num_queries(6):  # two of them are the savepoint's
        found = estimate_many(world.org, asked, user="ada")

    assert [one.source for one in found[:2]] == ["type_median", "model"]
    assert model.asked == 1


@pytest.fixture
def fresh(settings: Settings) -> Iterator[None]:
    """What is known stays fresh for the test."""
    settings.HISTORY_FRESH_SECONDS = 60
    estimates._known.clear()
    yield
    estimates._known.clear()


def by_size(submissions: Sequence[Submission]) -> list[Prediction]:
    return [Prediction(ms, ms, ms) for ms in (float(one.payload_bytes) for one in submissions)]


def test_jobs_of_a_call_that_are_alike_are_one_row_of_the_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    give_history(world.org, [100.0])
    rows: list[int] = []
    use_model(world.org, monkeypatch, lambda submissions: rows.append(len(submissions)) or by_size(submissions))
    sizes = [10, 20, 10, 30, 20]

    found = estimate_many(world.org, [Asked("python", "demo.add", size) for size in sizes], user="ada")

    assert [one.ms for one in found] == sizes
    assert rows == [3]


@pytest.mark.usefixtures("fresh")
def test_an_answer_is_kept_while_the_history_is_fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, by_size)

    def ask_as(user: str, size: int) -> float:
        return estimate_many(world.org, [Asked("python", "demo.add", size)], user=user)[0].ms

    with monkeypatch.context() as patched:
        patched.setattr(estimates.timezone, "now", lambda: datetime(2026, 1, 1, 12, 30, tzinfo=UTC))
        assert [ask_as("ada", 10), ask_as("ada", 10), ask_as("ada", 20), ask_as("bob", 10)] == [10, 10, 20, 10]
        assert model.asked == 3
        patched.setattr(estimates.timezone, "now", lambda: datetime(2026, 1, 1, 12, 31, tzinfo=UTC))
        assert ask_as("ada", 10) == 10
        assert model.asked == 4


@pytest.mark.usefixtures("fresh")
def test_a_new_version_is_asked_at_once(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.MODEL_RELOAD_SECONDS = 0
    give_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, always(700.0))
    assert ask(world.org).model_version == 1
    model.answer = always(900.0)
    give_model(world.org, version=2)

    found = ask(world.org)

    assert (found.ms, found.model_version) == (900.0, 2)


@pytest.mark.usefixtures("fresh")
def test_only_so_many_answers_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "SAID_KEPT", 5)
    give_history(world.org, [100.0])
    use_model(world.org, monkeypatch, by_size)

    found = estimate_many(world.org, [Asked("python", "demo.add", size) for size in range(1, 14)], user="ada")

    assert [one.ms for one in found] == list(range(1, 14))
    assert [len(known.said) for _, known in estimates._known.values()] == [3]


def test_only_so_many_models_are_kept_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_model, "MODELS_KEPT", 1)
    loaded: list[bytes] = []
    monkeypatch.setattr(active_model, "load", lambda weights: loaded.append(weights) or FakeModel(always(700.0)))
    for org in (world.org, world.rival):
        give_history(org, [100.0])
        give_model(org, weights=org.slug.encode())

    for org in (world.org, world.rival, world.org):
        assert ask(org).source == "model"

    assert loaded == [b"acme", b"rival", b"acme"]
