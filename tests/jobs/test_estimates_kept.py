"""What an estimate costs: few queries, one call of the model, and answers that are kept while they are fresh."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs import active_model, estimates
from jobs.estimates import Asked, estimate_many
from orgs.models import User
from predictor.runtime import Prediction, Submission
from tests.conftest import World
from tests.factories import make_history
from tests.jobs.models_in_use import FakeModel, always, ask, give_model, use_model

pytestmark = pytest.mark.django_db


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
