"""Each dataset of jobs.handlers.datasets as a query: always of one organisation, and only of names in closed lists."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from jobs.exports.names import asked_for_names
from jobs.handlers.datasets import JOB_FILTERS, Question
from jobs.listing import Filters, narrowed, ordering, parse_sort, parse_statuses
from jobs.models import Attempt, DepthSample, Job, JobQuerySet, LogLine, Schedule, Transition
from orgs.models import AuditEntry
from orgs.removed_names import acted_by

Given = Mapping[str, Any]
SAME = (
    *("type", "queue", "urgency", "category", "creator", "name", "correlation_id", "error_type"),
    *("tag", "worker", "fingerprint"),
)
BOUNDS = ("attempts_min", "attempts_max", "runtime_min_ms", "runtime_max_ms")
# Columns that are called otherwise where they are stored.
JOB_FIELDS = {
    "status": F("state"),
    "attempt": F("attempts_made"),
    "waits_for": F("waiting_on"),
    "created_by": F("created_by__username"),
    "started_at": Coalesce("lease_started_at", "started_at"),
}
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "jobs": JOB_FIELDS,
    "dead_letters": JOB_FIELDS,
    "attempts": {"attempt": F("number"), "worker": F("worker_name")},
    "audit": {"actor": F("actor_name"), "key": F("key_prefix")},
    "schedules": {"created_by": F("created_by__username")},
}
# Word of the API: word of jobs.listing.
SORTS = {"predicted_ms": "predicted", "runtime_ms": "runtime"}


def rows_of(question: Question, org_id: int) -> "QuerySet[Any, Any]":
    """Tuples of the columns that are asked for, in order, and behind them what names.without_names() needs."""
    fields = FIELDS.get(question.dataset, {})
    found = SOURCES[question.dataset](org_id, question.filters)
    ordered = found.order_by(*ORDERS.get(question.dataset, job_order)(question.order))
    return ordered.values_list(*(fields.get(name, F(name)) for name in (*question.columns, *asked_for_names(question))))


def filters_of(given: Given) -> Filters:
    same: dict[str, Any] = {name: given.get(name, "") for name in SAME} | {name: given.get(name) for name in BOUNDS}
    return Filters(
        statuses=parse_statuses(given.get("status", ())),
        created_after=given.get("created_after"),
        created_before=given.get("created_before"),
        finished_after=given.get("failed_after", given.get("finished_after")),
        finished_before=given.get("failed_before", given.get("finished_before")),
        replayed=given.get("replayed"),
        text=given.get("q", ""),
        batch=UUID(given["batch"]) if "batch" in given else None,
        **same,
    )


def job_rows(org_id: int, given: Given) -> JobQuerySet:
    found = narrowed(Job.objects.filter(org_id=org_id), filters_of(given))
    return found.filter(pk=UUID(given["job"])) if "job" in given else found


def jobs(org_id: int, given: Given) -> JobQuerySet:
    return job_rows(org_id, given).with_state()


def dead_letters(org_id: int, given: Given) -> JobQuerySet:
    return jobs(org_id, given).dead_letters()


def in_time(rows: "QuerySet[Any]", field: str, given: Given) -> "QuerySet[Any]":
    if "after" in given:
        rows = rows.filter(**{f"{field}__gte": given["after"]})
    if "before" in given:
        rows = rows.filter(**{f"{field}__lt": given["before"]})
    return rows


def of_jobs(rows: "QuerySet[Any]", org_id: int, given: Given) -> "QuerySet[Any]":
    """Those of the jobs that pass the filters about jobs, if there is any."""
    if not given.keys() & set(JOB_FILTERS):
        return rows
    return rows.filter(job_id__in=job_rows(org_id, given).values("pk"))


def attempts(org_id: int, given: Given) -> "QuerySet[Any]":
    return in_time(of_jobs(Attempt.objects.filter(org_id=org_id), org_id, given), "ended_at", given)


def transitions(org_id: int, given: Given) -> "QuerySet[Any]":
    return in_time(of_jobs(Transition.objects.filter(org_id=org_id), org_id, given), "at", given)


def log_lines(org_id: int, given: Given) -> "QuerySet[Any]":
    """A line knows its job, and only the job its organisation."""
    return in_time(LogLine.objects.filter(job_id__in=job_rows(org_id, given).values("pk")), "at", given)


def audit(org_id: int, given: Given) -> "QuerySet[Any]":
    same = {name: given[name] for name in ("action", "correlation_id") if name in given}
    rows = AuditEntry.objects.filter(org_id=org_id, **same)
    return in_time(rows.filter(acted_by(given["actor"])) if "actor" in given else rows, "at", given)


def schedules(org_id: int, given: Given) -> "QuerySet[Any]":
    return Schedule.objects.filter(org_id=org_id, **{name: given[name] for name in ("name",) if name in given})


def depth_samples(org_id: int, given: Given) -> "QuerySet[Any]":
    queue = {"queue": given["queue"]} if "queue" in given else {}
    return in_time(DepthSample.objects.filter(org_id=org_id, **queue), "at", given)


SOURCES: Mapping[str, Callable[[int, Given], "QuerySet[Any]"]] = {
    "jobs": jobs,
    "dead_letters": dead_letters,
    "attempts": attempts,
    "transitions": transitions,
    "log_lines": log_lines,
    "audit": audit,
    "schedules": schedules,
    "depth_samples": depth_samples,
}


def job_order(word: str) -> list[Any]:
    sign = "-" if word.startswith("-") else ""
    plain = word.removeprefix("-")
    return ordering(parse_sort(sign + SORTS.get(plain, plain)))


def by(**keys: tuple[str, ...]) -> Callable[[str], list[str]]:
    """An order by these fields, all of them turned round by a minus."""

    def order(word: str) -> list[str]:
        sign = "-" if word.startswith("-") else ""
        return [sign + field for field in keys[word.removeprefix("-")]]

    return order


ORDERS: Mapping[str, Callable[[str], list[Any]]] = {
    "attempts": by(at=("ended_at", "id")),
    "transitions": by(at=("id",)),
    "log_lines": by(job=("job_id", "attempt", "sequence"), at=("at", "id")),
    "audit": by(at=("at", "id")),
    "schedules": by(name=("name",)),
    "depth_samples": by(at=("at", "id")),
}
