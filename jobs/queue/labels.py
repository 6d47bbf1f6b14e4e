"""What people say of jobs and of what there is to say: corrections, and the categories of an organisation."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from jobs.categories import SETTING, categories_of
from jobs.classifying import Answer, asked_of
from jobs.errors import InvalidClassification, JobNotFound
from jobs.models import Job, Label, Schedule, ToClassify
from jobs.models.classification import CATEGORY_CHARACTERS
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.classify import classification_of
from jobs.queue.rerank import set_urgency
from jobs.ranking import URGENCY_FACTOR
from jobs.strict_json import UNSTORABLE
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

MOST_CATEGORIES = 100


def correct(
    job_id: UUID, *, scope: Scope, category: str = "", urgency: str = "", request: HttpRequest | None = None
) -> None:
    """Say what a job is about, how urgent it is, or both: it moves, and the organisation's classifier learns from it.

    The urgency of a job that runs or has ended stays: it is learned all the same. Raises JobNotFound,
    InvalidClassification.
    """
    scope.require(Action.CLASSIFY)
    jobs = Job.objects.for_org(scope.org).filter(pk=job_id)
    with brief():
        # in the order in which classify_some() locks: this, the place in the order, the job
        sql.run("hold_unread", job_id=job_id)
        before = jobs.first()
        if before is None:
            raise JobNotFound
        if found := correction_faults(scope.org, category, urgency):
            raise InvalidClassification(found)
        if urgency:
            set_urgency(job_id, scope.org, urgency, by=scope.actor)
        job = jobs.select_for_update().get()
        job.classification = corrected(job, category, urgency)
        job.category = category or job.category
        job.save(update_fields=["classification", "category"])
        ToClassify.objects.filter(pk=job_id).delete()
        keep_label(before, scope, category, urgency)
        sql.run("count_told", org_id=scope.org.pk, hits=0, misses=0, corrections=1)
        old = {"category": before.category, "urgency": before.urgency}
        new = {"category": job.category, "urgency": urgency or job.urgency}
        audit.record("job.classify", org=scope.org, actor=scope.user, target=job_id, request=request, old=old, new=new)


def correction_faults(org: Org, category: str, urgency: str) -> list[tuple[str, str]]:
    found = []
    if not category and not urgency:
        found.append(("", "Say the category, the urgency, or both."))
    if category and category not in (known := categories_of(org)):
        found.append(("/category", f"One of {', '.join(known)}."))
    if urgency and urgency not in URGENCY_FACTOR:
        found.append(("/urgency", f"One of {', '.join(URGENCY_FACTOR)}."))
    return found


def corrected(job: Job, category: str, urgency: str) -> dict[str, Any]:
    """What is shown of the job from now on; where the person said nothing, what was told before."""
    told = job.classification or {}
    answer = Answer(
        category=category or job.category,
        urgency=urgency or job.urgency,
        confidence=1.0 if category else told.get("confidence", 0.0),
        urgency_confidence=1.0 if urgency else told.get("urgency_confidence", 0.0),
        source="user",
        probabilities={category: 1.0} if category else told.get("probabilities"),
    )
    return classification_of(answer, category=answer.category, urgency=answer.urgency, given=[])


def keep_label(job: Job, scope: Scope, category: str, urgency: str) -> None:
    asked = asked_of(job.type, job.title, job.description)
    Label.objects.create(
        org=scope.org,
        job_id=job.pk,
        digest=asked.digest,
        type=asked.type,
        title=asked.title,
        description=asked.description,
        category=category,
        urgency=urgency,
        told_category=job.category,
        told_urgency=job.urgency,
        by=scope.user,
    )


def set_categories(categories: Sequence[str], *, scope: Scope, request: HttpRequest | None = None) -> list[str]:
    """The categories of the organisation, in this order; none: the deployment's. Returns those that hold.

    Jobs keep what they are filed under. Raises InvalidClassification.
    """
    scope.require(Action.MANAGE_ORG)
    new = [category.strip() for category in categories]
    if found := category_faults(new):
        raise InvalidClassification(found)
    with brief():
        org = Org.objects.select_for_update(no_key=True).get(pk=scope.org.pk)
        old = categories_of(org)
        org.job_settings = {**org.job_settings, SETTING: new}
        if lost := set(old) - set(categories_of(org)):
            refuse_lost(org, lost)
        if categories_of(org) != old:
            org.save(update_fields=["job_settings"])
            audit.record(
                "org.categories",
                org=org,
                actor=scope.user,
                target=org.slug,
                request=request,
                old=old,
                new=categories_of(org),
            )
    scope.org.job_settings = org.job_settings
    return categories_of(org)


def category_faults(categories: Sequence[str]) -> list[tuple[str, str]]:
    if len(categories) == 1 or len(categories) > MOST_CATEGORIES:
        return [("/categories", f"None, or 2 to {MOST_CATEGORIES}.")]
    found = [
        (f"/categories/{place}", f"1 to {CATEGORY_CHARACTERS} characters, none of them NUL or a line's end.")
        for place, name in enumerate(categories)
        if not 1 <= len(name) <= CATEGORY_CHARACTERS or UNSTORABLE.search(name) or len(name.splitlines()) > 1
    ]
    lowered = [name.lower() for name in categories]
    return found + [
        (f"/categories/{place}", "This one is there already.")
        for place, name in enumerate(lowered)
        if name in lowered[:place]
    ]


def refuse_lost(org: Org, lost: set[str]) -> None:
    """Raise InvalidClassification for what a schedule files its jobs under: it would bring no more."""
    using = Schedule.objects.for_org(org).filter(job__category__in=sorted(lost)).order_by("name").first()
    if using is not None:
        text = f"The schedule {using.name!r} files its jobs under {using.job['category']}: change it first."
        raise InvalidClassification([("/categories", text)])
