"""What a list of jobs is narrowed to, as conditions on the jobs themselves: exact, whatever index finds them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, CharField, Exists, F, Func, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast

from jobs import states
from jobs.ids import first_uuid7
from jobs.models import Attempt, JobQuerySet, Lease, SearchEntry
from jobs.search.language import Member, Search, parse
from jobs.states import Status

ID_END = re.compile(r"[0-9a-f]{6,12}")
# created_at is the database's clock, the time in an id the application's: they differ by far less than this
ID_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; all that are set must hold."""

    statuses: tuple[Status, ...] = ()
    type: str = ""
    queue: str = ""
    urgency: str = ""
    category: str = ""
    creator: str = ""
    name: str = ""
    correlation_id: str = ""
    error_type: str = ""
    # Of an error that is told apart by jobs.fingerprints.
    fingerprint: str = ""
    tag: str = ""
    # The name of the worker of one of its attempts.
    worker: str = ""
    replayed: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    attempts_min: int | None = None
    attempts_max: int | None = None
    runtime_min_ms: float | None = None
    runtime_max_ms: float | None = None
    # In the language of jobs.search.language.
    text: str = ""
    batch: UUID | None = None

    @property
    def search(self) -> Search:
        return parse(self.text)


def parse_statuses(words: Iterable[str]) -> tuple[Status, ...]:
    """The statuses that these words name, the compatible ones included; raises ValueError."""
    return tuple(dict.fromkeys(status for word in words for status in states.parse(word)))


SAME = ("type", "queue", "urgency", "category", "name", "correlation_id", "error_type")
# Filter: condition on a job with its state.
BOUNDS = {
    "created_before": "created_at__lt",
    "finished_after": "finished_at__gte",
    "finished_before": "finished_at__lt",
    "attempts_min": "attempts_made__gte",
    "attempts_max": "attempts_made__lte",
    "runtime_min_ms": "runtime_ms__gte",
    "runtime_max_ms": "runtime_ms__lte",
}


def narrowed(jobs: JobQuerySet, filters: Filters) -> JobQuerySet:
    """The jobs that pass all filters. Raises NotUnderstood for a text that is no search."""
    if filters.statuses:
        jobs = jobs.in_status(*filters.statuses)
    for name in SAME:
        if value := getattr(filters, name):
            jobs = jobs.filter(**{name: value})
    if filters.attempts_min is not None or filters.attempts_max is not None:
        jobs = jobs.with_state()
    for name, condition in BOUNDS.items():
        if (bound := getattr(filters, name)) is not None:
            jobs = jobs.filter(**{condition: bound})
    if filters.created_after:
        # the second condition is what the index of the list can use
        jobs = jobs.filter(created_at__gte=filters.created_after, pk__gte=first_uuid7(filters.created_after - ID_SLACK))
    if filters.created_before:
        jobs = jobs.filter(pk__lt=first_uuid7(filters.created_before + ID_SLACK))
    if filters.batch:
        jobs = jobs.filter(batch_id=filters.batch)
    if filters.creator:
        jobs = jobs.filter(created_by__username__iexact=filters.creator)
    if filters.replayed is not None:
        jobs = jobs.filter(life__gt=1) if filters.replayed else jobs.filter(life=1)
    return beside(jobs, filters)


def beside(jobs: JobQuerySet, filters: Filters) -> JobQuerySet:
    """By what stands in other tables, or in lists and documents."""
    if filters.tag:
        jobs = jobs.filter(tags__contains=[filters.tag])
    if filters.worker:
        tried = Attempt.objects.filter(job_id=OuterRef("pk"), worker_name=filters.worker)
        running = Lease.objects.filter(job_id=OuterRef("pk"), worker_name=filters.worker)
        # as a value of the row, not as EXISTS: the planner would take that for a list of all attempts, read once
        jobs = jobs.alias(tried_by=Subquery(tried.values("pk")[:1]), run_by=Subquery(running.values("pk")[:1]))
        jobs = jobs.filter(Q(tried_by__isnull=False) | Q(run_by__isnull=False))
    if filters.fingerprint:
        # by their organisation as well, which the index begins with
        marked = SearchEntry.objects.filter(error_fingerprint=filters.fingerprint, org_id=OuterRef("org_id"))
        jobs = jobs.filter(Exists(marked.filter(job_id=OuterRef("pk")))).exclude(error_type="", error="")
    return with_search(jobs, filters.search) if filters.text else jobs


def with_search(jobs: JobQuerySet, search: Search) -> JobQuerySet:
    if len(search.terms) == 1 and search.texts:
        try:
            return jobs.filter(Q(pk=UUID(search.texts[0])) | Q(correlation_id=search.texts[0]))
        except ValueError:
            pass
    for text in search.texts:
        jobs = with_text(jobs, text)
    for member in search.members:
        jobs = jobs.filter(Func(F(member.root), Value(json_path(member)), function="", template=PATH_EXISTS,
                                output_field=BooleanField()))  # fmt: skip
    return jobs


def with_text(jobs: JobQuerySet, text: str) -> JobQuerySet:
    """Jobs that say this in a name, title, description or error, or whose id ends in it."""
    found = Q(correlation_id=text)
    for name in ("name", "title", "description", "error", "error_type"):
        found |= Q(**{f"{name}__icontains": text})
    if ID_END.fullmatch(text.lower()):
        jobs = jobs.annotate(id_text=Cast("pk", CharField()))
        found |= Q(id_text__endswith=text.lower())
    return jobs.filter(found)


# Silent: that there is no such way in a document is no fault.
PATH_EXISTS = "jsonb_path_exists(%(expressions)s::jsonpath, '{}', true)"


def json_path(member: Member) -> str:
    """As PostgreSQL asks a document. Lax: what stands in a list is looked at one by one."""
    steps = "".join(f".{json.dumps(step)}" for step in member.path)
    value: Any = member.written() if not isinstance(member.value, str) else json.dumps(member.value)
    return f"${steps} ? (@ {member.operator or '=='} {value})"


__all__ = ["Filters", "narrowed", "parse_statuses"]
