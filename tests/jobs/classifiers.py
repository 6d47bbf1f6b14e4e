"""Classifiers that answer as a test wants."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jobs import active_classifier, classifying
from jobs.active_classifier import LoadedClassifier
from predictor.classifier import Classification, Text

CATEGORIES = ("Infrastructure", "Database", "Application", "Network")


def said(category: str = "Database", urgency: str = "medium", **fields: Any) -> Classification:
    shares = {name: 0.7 if name == category else 0.1 for name in CATEGORIES}
    known: dict[str, Any] = {
        "confidence": 0.7,
        "urgency_confidence": 0.6,
        "source": "model",
        "words": ("pool",),
        "probabilities": shares,
    }
    return Classification(category=category, urgency=urgency, **{**known, **fields})


class FakeClassifier:
    """`answer` is asked for each text; `read` counts the texts."""

    labels = CATEGORIES

    def __init__(self, answer: Callable[[Text], Classification], version: str = "fake-1") -> None:
        self.answer, self.version, self.read = answer, version, 0

    def classify(self, texts: Sequence[Text]) -> list[Classification]:
        self.read += len(texts)
        return [self.answer(text) for text in texts]


def use(monkeypatch: pytest.MonkeyPatch, classifier: Any) -> LoadedClassifier:
    """For every organisation."""
    loaded: LoadedClassifier = active_classifier.Loaded(1, classifier)
    monkeypatch.setattr(classifying, "classifier_of", lambda org, categories: loaded)
    return loaded


def answering(monkeypatch: pytest.MonkeyPatch, category: str = "Database", urgency: str = "medium") -> FakeClassifier:
    fake = FakeClassifier(lambda text: said(category, urgency))
    use(monkeypatch, fake)
    return fake
