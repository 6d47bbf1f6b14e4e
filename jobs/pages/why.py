"""Why a job is filed where it is, and what a person may say instead."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from jobs.categories import categories_of
from jobs.models import Job, ToClassify
from jobs.ranking import URGENCY_FACTOR

LIKELY = 3


@dataclass(frozen=True, slots=True)
class Why:
    """`told` is as it is kept with the job, None while nothing was told; `unread` says that it will be."""

    told: dict[str, Any] | None
    likely: list[tuple[str, float]]
    # too unsure of the urgency to move it
    unsure: bool
    unread: bool
    has_text: bool
    categories: list[str]
    urgencies: list[str]


def why(job: Job) -> Why:
    told = job.classification
    shares = (told or {}).get("probabilities", {})
    has_text = bool(job.title or job.description)
    return Why(
        told=told,
        likely=sorted(shares.items(), key=lambda one: -one[1])[:LIKELY] if len(shares) > 1 else [],
        unsure=told is not None and 100 * told["urgency_confidence"] < settings.CLASSIFY_URGENCY_MIN_PERCENT,
        unread=told is None and has_text and ToClassify.objects.filter(pk=job.pk).exists(),
        has_text=has_text,
        categories=categories_of(job.org),
        urgencies=list(URGENCY_FACTOR),
    )
