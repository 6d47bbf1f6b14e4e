"""Fit an organisation's classifier to what people corrected, and use it where it is no worse on what is held out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from jobs.active_classifier import classifier_of, forget_classifiers
from jobs.categories import categories_of
from jobs.models import ClassifierVersion, Label
from jobs.training import alone
from orgs.models import Org
from predictor.classifier import Classification, Classifier, Labelled, Text, default, dump, fit

LOCK_SPACE = 0x5352
HEADS = ("category", "urgency")


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it."""

    org: str
    labels: int
    version: int
    active: bool
    metrics: dict[str, Any]


class NothingToLearn(Exception):
    """Nobody has corrected anything since the newest version."""

    def __init__(self, org: Org) -> None:
        super().__init__(f"{org.slug}: no corrections since the newest version; nothing was learned")


def learn_labels(org: Org) -> Learned:
    """Fit to the newest LABELS_MAX corrections, store the classifier, and use it unless it is worse than the present.

    Raises NothingToLearn, AlreadyTraining.
    """
    with alone(org, LOCK_SPACE):
        versions = ClassifierVersion.objects.for_org(org)
        known = versions.aggregate(newest=Max("last_label_id"))["newest"] or 0
        labels = list(Label.objects.for_org(org).order_by("-id")[: settings.LABELS_MAX])[::-1]
        if not labels or labels[-1].pk <= known:
            raise NothingToLearn(org)
        started, categories = time.monotonic(), categories_of(org)
        metrics = compared(org, labels, known, categories)
        fitted = fitted_to(labels, categories)
        metrics |= {"seconds": round(time.monotonic() - started, 3), "fit": plain(fitted.metrics)}
        active = metrics["held_out"] == 0 or metrics["correct"] >= metrics["correct_before"]
        version = store(org, fitted.classifier, labels, metrics, activate=active)
        forget_classifiers()
    return Learned(org.slug, len(labels), version, active, metrics)


def compared(org: Org, labels: Sequence[Label], known: int, categories: Sequence[str]) -> dict[str, Any]:
    """The share of right answers on labels that neither classifier has seen: the newer half of the new ones.

    The other half of them, and all before, are what the candidate is fitted to here; in the end it is to all.
    """
    new = [label for label in labels if label.pk > known]
    held_out = new[len(new) // 2 :] if len(new) > 1 else []
    seen = {label.digest for label in labels if label not in held_out}
    held_out = [label for label in held_out if label.digest not in seen]
    if not held_out:
        return {"held_out": 0}
    candidate = fitted_to([label for label in labels if label.digest in seen], categories).classifier
    present = classifier_of(org, categories).model
    return {
        "held_out": len(held_out),
        "correct": correct_share(candidate, held_out, categories),
        "correct_before": correct_share(present, held_out, categories),
    }


def correct_share(classifier: Classifier, labels: Sequence[Label], categories: Sequence[str]) -> float:
    """Of what the labels say; of a category that there is no more they say nothing."""
    answers = classifier.classify([text_of(label) for label in labels])
    right = [hit for label, answer in zip(labels, answers, strict=True) for hit in hits(label, answer, categories)]
    return sum(right) / len(right) if right else 0.0


def hits(label: Label, answer: Classification, categories: Sequence[str]) -> list[bool]:
    said = label.category if label.category in categories else "", label.urgency
    return [given == found for given, found in zip(said, (answer.category, answer.urgency), strict=True) if given]


def fitted_to(labels: Sequence[Label], categories: Sequence[str]) -> Any:
    """To what was said last of each text."""
    texts: dict[str, Text] = {}
    said: dict[str, dict[str, str]] = {}
    for label in labels:
        texts[label.digest] = text_of(label)
        found = said.setdefault(label.digest, {})
        found |= {name: value for name in HEADS if (value := getattr(label, name))}
    examples = [
        Labelled(text, found.get("category") if found.get("category") in categories else None, found.get("urgency"))
        for text, found in ((texts[digest], found) for digest, found in said.items())
    ]
    return fit(examples, tuple(categories), default(), max_seconds=settings.LABELS_MAX_SECONDS)


def text_of(label: Label) -> Text:
    return Text(label.title, label.description, label.type)


def plain(metrics: dict[str, Any]) -> dict[str, Any]:
    """The numbers among them, as JSON has them."""
    return {name: round(float(value), 4) for name, value in metrics.items() if isinstance(value, int | float)}


def store(org: Org, classifier: Classifier, labels: Sequence[Label], metrics: dict[str, Any], *, activate: bool) -> int:
    """Keep it as the next version; only the newest few are kept, and the one in use."""
    versions = ClassifierVersion.objects.for_org(org)
    with transaction.atomic():
        version = (versions.aggregate(newest=Max("version"))["newest"] or 0) + 1
        if activate:
            versions.filter(active=True).update(active=False)
        ClassifierVersion.objects.create(
            org=org,
            version=version,
            weights=dump(classifier),
            categories=list(classifier.labels),
            labels=len(labels),
            last_label_id=labels[-1].pk,
            metrics=metrics,
            active=activate,
        )
        versions.filter(active=False, version__lte=version - settings.MODEL_VERSIONS_KEPT).delete()
    return version
