"""Why a job is filed where it is, and what a person may say instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from jobs.categories import categories_of
from jobs.classifying import asked_of
from jobs.models import ClassifierVersion, Job, Label
from jobs.ranking import URGENCY_FACTOR
from orgs.models import Org
from predictor.classifier import UNSURE

LIKELY = 5
# Of a bar, on each side of its middle.
HALF = 50.0


@dataclass(frozen=True, slots=True)
class Word:
    """`pull` is None where only the words are known; a bar is drawn to the scale of the strongest."""

    word: str
    pull: float | None = None
    left: float = HALF
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Why:
    """`told` is as it is kept with the job, None while nothing was told; `unread` says that it will be."""

    told: dict[str, Any] | None
    words: list[Word]
    likely: list[tuple[str, float]]
    # too unsure of the urgency to move it
    unsure: bool
    unread: bool
    has_text: bool
    # a classifier or rules said it, not a person
    by_machine: bool
    category_from: float
    urgency_from: float
    categories: list[str]
    urgencies: list[str]
    # the newest correction of this job, and the first version that was fitted to it
    corrected: Label | None
    learnt: int | None


def why(job: Job) -> Why:
    told = job.classification
    shares = (told or {}).get("probabilities", {})
    has_text = bool(job.title or job.description)
    by_person = told is not None and told["source"].startswith("user")
    corrected = correction(job) if by_person else None
    return Why(
        told=told,
        words=words(told or {}),
        likely=sorted(shares.items(), key=lambda one: -one[1])[:LIKELY] if len(shares) > 1 else [],
        unsure=told is not None and 100 * told["urgency_confidence"] < settings.CLASSIFY_URGENCY_MIN_PERCENT,
        unread=told is None and has_text and job.unread,  # type: ignore[attr-defined]
        has_text=has_text,
        by_machine=not by_person,
        category_from=UNSURE,
        urgency_from=settings.CLASSIFY_URGENCY_MIN_PERCENT / 100,
        categories=categories_of(job.org),
        urgencies=list(URGENCY_FACTOR),
        corrected=corrected,
        learnt=learnt_by(corrected, job.org) if corrected else None,
    )


def words(told: Mapping[str, Any]) -> list[Word]:
    """Those that decided, with how much each spoke for the category or against it, where that was kept."""
    pulls: Mapping[str, float] = told.get("pulls") or {}
    if not pulls:
        return [Word(word) for word in told.get("words", [])]
    greatest = max(abs(pull) for pull in pulls.values()) or 1.0
    found = []
    for word, pull in sorted(pulls.items(), key=lambda one: -one[1]):
        width = HALF * abs(pull) / greatest
        found.append(Word(word, pull, HALF - width if pull < 0 else HALF, width))
    return found


def correction(job: Job) -> Label | None:
    """The newest of this job; looked up by its text, as the classifier does."""
    digest = asked_of(job.type, job.title, job.description).digest
    return Label.objects.for_org(job.org).filter(digest=digest, job_id=job.pk).order_by("-id").first()


def learnt_by(label: Label, org: Org) -> int | None:
    versions = ClassifierVersion.objects.for_org(org).filter(last_label_id__gte=label.pk)
    return versions.order_by("version").values_list("version", flat=True).first()
