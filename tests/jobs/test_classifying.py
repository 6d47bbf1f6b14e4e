"""What texts are about: by people, memory, endpoint, classifier and rules, in that order; and it never fails."""

import math
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs import chat, classifying
from jobs.classifying import Answer, Asked, answer_many, asked_of
from jobs.models import ClassifiedText, Label
from orgs.models import Org
from predictor.classifier import Classification, Text
from tests.conftest import World
from tests.jobs.classifiers import CATEGORIES, answering, said, use

pytestmark = pytest.mark.django_db

POOL = Asked("shell", "Database timeout: primary pool exhausted", "")
OTHER = Asked("shell", "Router is slow", "")


def ask(org: Org, *asked: Asked) -> list[Answer]:
    return answer_many(org, asked or (POOL,))


def label(org: Org, asked: Asked = POOL, **said: str) -> None:
    Label.objects.create(org=org, digest=asked.digest, type=asked.type, title=asked.title, **said)


def test_without_anything_learned_the_shipped_classifier_answers(world: World) -> None:
    (answer,) = ask(world.org)

    assert (answer.category, answer.urgency) == ("Database", "high")
    assert answer.source in {"model", "rules"}
    assert 0 < answer.confidence <= 1
    assert sum((answer.probabilities or {}).values()) == pytest.approx(1, abs=0.01)


def test_the_same_text_is_answered_from_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(monkeypatch)

    first, second = ask(world.org), ask(world.org)

    assert fake.read == 1
    assert [one.source for one in first + second] == ["model", "model_cached"]
    assert second[0] == Answer("Database", "medium", 0.7, 0.6, "model_cached", ("pool",), said().probabilities, {})


def test_of_two_alike_in_one_batch_one_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(monkeypatch)

    answers = ask(world.org, POOL, OTHER, POOL)

    assert fake.read == 2
    assert [one.source for one in answers] == ["model", "model", "model_cached"]


@pytest.mark.parametrize("other", [POOL._replace(type="etl"), POOL._replace(description="now"), OTHER])
def test_another_text_is_read(world: World, monkeypatch: pytest.MonkeyPatch, other: Asked) -> None:
    fake = answering(monkeypatch)
    ask(world.org)

    ask(world.org, other)

    assert fake.read == 2


def test_another_version_and_another_organisation_have_a_memory_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = answering(monkeypatch)
    ask(world.org)

    ask(world.rival)
    fake.version = "fake-2"
    ask(world.org)

    assert fake.read == 3
    assert ClassifiedText.objects.count() == 3


def test_what_a_person_said_of_the_text_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(monkeypatch)
    label(world.org, category="Network", urgency="low")
    label(world.rival, OTHER, category="Network", urgency="low")

    answers = ask(world.org, POOL, OTHER)

    assert [(one.category, one.urgency, one.source) for one in answers] == [
        ("Network", "low", "user_cached"),
        ("Database", "medium", "model"),
    ]
    assert answers[0].confidence == 1.0
    assert fake.read == 1


def test_the_newest_of_what_people_said_counts_and_the_rest_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, "Database", "medium")
    label(world.org, category="Network")
    label(world.org, category="Application")
    label(world.org, OTHER, urgency="high")

    about, urgent = ask(world.org, POOL, OTHER)

    assert (about.category, about.urgency, about.urgency_confidence) == ("Application", "medium", 0.6)
    assert (urgent.category, urgent.urgency, urgent.confidence) == ("Database", "high", 0.7)
    assert {about.source, urgent.source} == {"user_cached"}


def test_a_category_that_there_is_no_more_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch)
    label(world.org, category="Kitchen", urgency="low")

    (answer,) = ask(world.org)

    assert (answer.category, answer.urgency) == ("Database", "low")


# --- It never fails ---------------------------------------------------------------------------------------------


def raises(texts: Sequence[Text]) -> list[Classification]:
    raise RuntimeError("broken")


def one_too_few(texts: Sequence[Text]) -> list[Classification]:
    return [said() for _ in texts][1:]


NONSENSE: dict[str, Any] = {
    "raises": raises,
    "one too few": one_too_few,
    "nothing": lambda texts: None,
    "no classification": lambda texts: ["Database" for _ in texts],
    "no category of ours": lambda texts: [said("Kitchen") for _ in texts],
    "no urgency": lambda texts: [said(urgency="soon") for _ in texts],
    "not a number": lambda texts: [said(confidence=math.nan) for _ in texts],
    "too sure": lambda texts: [said(urgency_confidence=1.5) for _ in texts],
    "shares of nothing": lambda texts: [said(probabilities={"Database": math.inf}) for _ in texts],
    "a source of its own": lambda texts: [said(source="stars") for _ in texts],
}


class Broken:
    labels, version = CATEGORIES, "broken"

    def __init__(self, classify: Any) -> None:
        self.classify = classify


@pytest.mark.parametrize("classify", NONSENSE.values(), ids=NONSENSE)
def test_a_classifier_that_fails_leaves_it_to_the_rules_and_rests(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, classify: Any
) -> None:
    loaded = use(monkeypatch, Broken(classify))

    answers = ask(world.org, POOL) + ask(world.org, POOL)

    assert loaded.resting
    assert {(one.category, one.urgency, one.source) for one in answers} == {("Database", "high", "rules")}
    assert not ClassifiedText.objects.exists()
    assert len([record for record in caplog.records if "it rests" in record.message]) == 1


def test_a_classifier_that_hangs_is_given_up_and_rests_as_long_as_it_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CLASSIFY_MAX_SECONDS, settings.MODEL_REST_SECONDS = 0.05, 0.0
    gate = threading.Event()

    def hangs(texts: Sequence[Text]) -> list[Classification]:
        gate.wait(60)
        return []

    loaded = use(monkeypatch, Broken(hangs))
    try:
        assert ask(world.org)[0].source == "rules"
        assert loaded.resting
    finally:
        gate.set()


def test_without_even_the_rules_nothing_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Broken(raises))

    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(classifying.word_rules, "classify", broken)

    assert ask(world.org) == [Answer("", "medium", 0.0, 0.0, "rules")]


def test_a_long_description_is_cut() -> None:
    assert len(asked_of("shell", "t", "x" * 10_000).description) == classifying.TEXT_CHARACTERS


# --- The operator's endpoint ------------------------------------------------------------------------------------


class Endpoint:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        self.asked: list[str] = []
        self.said: chat.Said | None = chat.Said("Application", "low", 0.9)
        settings.CLASSIFIER_URL, settings.CLASSIFIER_MODEL = "https://models.example/v1", "small-1"
        monkeypatch.setattr(chat, "ask", self.ask)

    def ask(self, text: Text, categories: Sequence[str]) -> chat.Said | None:
        self.asked.append(text.title)
        return self.said


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Endpoint:
    return Endpoint(monkeypatch, settings)


def test_the_endpoint_is_asked_first_and_its_answer_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    fake = answering(monkeypatch)

    answers = ask(world.org) + ask(world.org)

    assert (endpoint.asked, fake.read) == ([POOL.title], 0)
    assert [(one.category, one.urgency, one.confidence, one.source) for one in answers] == [
        ("Application", "low", 0.9, "llm"),
        ("Application", "low", 0.9, "llm_cached"),
    ]


def test_without_its_answer_the_classifier_is_asked_and_the_endpoint_again_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    fake = answering(monkeypatch)
    endpoint.said = None
    assert [ask(world.org)[0].source for _ in range(2)] == ["model", "model_cached"]

    endpoint.said = chat.Said("Network", "high", 0.5)

    assert ask(world.org)[0].source == "llm"
    assert (len(endpoint.asked), fake.read) == (3, 1)


def test_another_model_of_the_endpoint_has_a_memory_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, settings: Settings
) -> None:
    answering(monkeypatch)
    ask(world.org)

    settings.CLASSIFIER_MODEL = "small-2"
    ask(world.org)

    assert len(endpoint.asked) == 2
