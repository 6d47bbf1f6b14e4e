"""The estimate at submit: its chain, and that nothing in it fails or delays a submit."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from jobs import active_model, estimates, memories
from jobs.estimates import Asked, Estimate, estimate, estimate_many
from jobs.models import Job, ModelVersion
from orgs.models import Org, User
from predictor.runtime import Prediction, RuntimeModel, Submission, untrained
from predictor.weights import dump
from tests.conftest import World
from tests.factories import api, make_history, make_job

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
    return lambda submissions: [Prediction(ms, ms / 2, ms * 2, 0.25) for _ in submissions]


def ask(org: Org, name: str = "demo.add", type: str = "python") -> Estimate:
    return estimate(org, Asked(type, name, 50), user=None)


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


def test_a_prediction_beyond_a_week_is_a_week(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(world.org, [100.0])
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


def test_many_jobs_cost_one_call_of_the_model_and_few_queries(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, always(700.0))
    asked = [Asked("python", "demo.add" if n % 2 else "new", 10) for n in range(200)]

    with django_assert_max_num_queries(6):  # two of them are the savepoint's
        found = estimate_many(world.org, asked, user=None)

    assert {one.source for one in found} == {"model"}
    assert model.asked == 1


@pytest.fixture
def fresh(settings: Settings) -> Iterator[None]:
    """What is known stays fresh for the test."""
    settings.HISTORY_FRESH_SECONDS = 60
    estimates.forget()
    yield
    estimates.forget()


def by_size(submissions: Sequence[Submission]) -> list[Prediction]:
    return [Prediction(ms, ms, ms, 0.0) for ms in (float(one.payload_bytes) for one in submissions)]


def test_jobs_of_a_call_that_are_alike_are_one_row_of_the_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(world.org, [100.0])
    rows: list[int] = []
    use_model(world.org, monkeypatch, lambda submissions: rows.append(len(submissions)) or by_size(submissions))
    sizes = [10, 20, 10, 30, 20]

    found = estimate_many(world.org, [Asked("python", "demo.add", size) for size in sizes], user=None)

    assert [one.ms for one in found] == sizes
    assert rows == [3]


@pytest.mark.usefixtures("fresh")
def test_an_answer_is_kept_while_the_history_is_fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, by_size)

    def ask_as(user: User, size: int) -> float:
        return estimate_many(world.org, [Asked("python", "demo.add", size)], user=user)[0].ms

    ada, bob = world.operator, world.owner

    with monkeypatch.context() as patched:
        patched.setattr(estimates.timezone, "now", lambda: datetime(2026, 1, 1, 12, 30, tzinfo=UTC))
        assert [ask_as(ada, 10), ask_as(ada, 10), ask_as(ada, 20), ask_as(bob, 10)] == [10, 10, 20, 10]
        assert model.asked == 3
        patched.setattr(estimates.timezone, "now", lambda: datetime(2026, 1, 1, 12, 31, tzinfo=UTC))
        assert ask_as(ada, 10) == 10
        assert model.asked == 4


@pytest.mark.usefixtures("fresh")
def test_a_new_version_is_asked_at_once(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.MODEL_RELOAD_SECONDS = 0
    make_history(world.org, [100.0])
    model = use_model(world.org, monkeypatch, always(700.0))
    assert ask(world.org).model_version == 1
    model.answer = always(900.0)
    give_model(world.org, version=2)

    found = ask(world.org)

    assert (found.ms, found.model_version) == (900.0, 2)


@pytest.mark.usefixtures("fresh")
def test_only_so_many_answers_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "SAID_KEPT", 5)
    make_history(world.org, [100.0])
    use_model(world.org, monkeypatch, by_size)

    found = estimate_many(world.org, [Asked("python", "demo.add", size) for size in range(1, 14)], user=None)

    assert [one.ms for one in found] == list(range(1, 14))
    assert [len(known.said) for _, known in estimates._known.values()] == [3]


def test_only_so_many_models_are_kept_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_model, "MODELS_KEPT", 1)
    loaded: list[bytes] = []
    monkeypatch.setattr(active_model, "load", lambda weights: loaded.append(weights) or FakeModel(always(700.0)))
    for org in (world.org, world.rival):
        make_history(org, [100.0])
        give_model(org, weights=org.slug.encode())

    for org in (world.org, world.rival, world.org):
        assert ask(org).source == "model"

    assert loaded == [b"acme", b"rival", b"acme"]
