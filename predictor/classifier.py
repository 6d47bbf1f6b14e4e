"""Category and urgency of a short text, from word rules and counted words."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from predictor.weights import WeightsError

WORDS = re.compile(r"[a-z0-9]+")
DEFAULT_LABELS = ("Infrastructure", "Database", "Application", "Network")
URGENCIES = ("high", "medium", "low")
RULES = {
    "Database": "database sql query index pool postgres table replica backup migration",
    "Network": "network dns vpn firewall latency packet router certificate",
    "Infrastructure": "server disk cpu memory host cluster kubernetes node deploy",
    "Application": "form page report login button export email download feedback",
    "high": "outage down urgent exhausted timeout crash failed production corrupted",
    "low": "typo cosmetic someday weekly cleanup wording nightly",
}


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    description: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    text: Text
    category: str | None
    urgency: str | None


@dataclass(frozen=True, slots=True)
class Classification:
    category: str
    urgency: str
    confidence: float
    urgency_confidence: float
    source: str
    words: tuple[str, ...]
    probabilities: dict[str, float]


class Classifier:
    """Counts of words by label, over the rules."""

    def __init__(self, labels: Sequence[str], counts: dict[str, dict[str, int]]) -> None:
        self.labels, self.counts = tuple(labels), counts
        self.version = hashlib.sha256(dump(self)).hexdigest()[:16]

    def classify(self, texts: Sequence[Text]) -> list[Classification]:
        return [self._one(text) for text in texts]

    def _one(self, text: Text) -> Classification:
        words = WORDS.findall(f"{text.title} {text.description}".lower())
        by_category = self._scores(words, self.labels)
        by_urgency = self._scores(words, URGENCIES)
        by_urgency["medium"] += 0.5
        category, urgency = max(by_category, key=by_category.__getitem__), max(by_urgency, key=by_urgency.__getitem__)
        telling = tuple(word for word in dict.fromkeys(words) if self._weight(word, category) > 0)
        return Classification(
            category,
            urgency,
            share(by_category)[category],
            share(by_urgency)[urgency],
            "model" if any(word in self.counts.get(category, {}) for word in words) else "rules",
            telling,
            share(by_category),
        )

    def _scores(self, words: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
        return {label: sum(self._weight(word, label) for word in words) for label in labels}

    def _weight(self, word: str, label: str) -> float:
        known = word in RULES.get(label, label.lower()).split()
        return float(known) + 3.0 * self.counts.get(label, {}).get(word, 0)


def share(scores: dict[str, float]) -> dict[str, float]:
    total = sum(score + 0.1 for score in scores.values())
    return {label: (score + 0.1) / total for label, score in scores.items()}


@cache
def default() -> Classifier:
    return Classifier(DEFAULT_LABELS, {})


@dataclass(frozen=True, slots=True)
class Fitted:
    classifier: Classifier
    metrics: dict[str, Any]


def fit(
    examples: Sequence[Labelled],
    labels: Sequence[str],
    base: Classifier | None,
    seed: int = 0,
    max_seconds: float | None = None,
) -> Fitted:
    counts: dict[str, Counter[str]] = {}
    for one in examples:
        words = WORDS.findall(f"{one.text.title} {one.text.description}".lower())
        for label in (one.category, one.urgency):
            if label is not None:
                counts.setdefault(label, Counter()).update(words)
    plain = {label: dict(sorted(found.items())) for label, found in sorted(counts.items())}
    return Fitted(Classifier(labels, plain), {"examples": len(examples)})


def dump(classifier: Classifier) -> bytes:
    return json.dumps([classifier.labels, classifier.counts]).encode()


def load(data: bytes) -> Classifier:
    try:
        labels, counts = json.loads(data)
    except ValueError as error:
        raise WeightsError("no classifier") from error
    return Classifier(labels, counts)


def recommended_action(category: str, urgency: str) -> str:
    return f"Hand this to whoever looks after {category}" + (" at once." if urgency == "high" else ".")
