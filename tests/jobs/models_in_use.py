"""Models that say what a test wants, in use by an organisation."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jobs import active_model
from jobs.estimates import Asked, Estimate, estimate
from jobs.models import ModelVersion
from orgs.models import Org
from predictor.runtime import Prediction, Submission

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
