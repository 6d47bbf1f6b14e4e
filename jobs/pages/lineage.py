"""Where a job comes from, what goes on after it, and where else it is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings

from jobs.models import Batch, Dependency, Job
from jobs.pages.history import Step
from jobs.trace import trace_id

# Of each list.
MOST = 10


@dataclass(frozen=True, slots=True)
class Lineage:
    parents: list[Dependency]
    children: list[Dependency]
    batch: Batch | None
    schedule: str
    trace_id: str
    trace_url: str
    log_url: str


def lineage(job: Job, steps: Sequence[Step]) -> Lineage:
    known = {"trace_id": trace_id(job.correlation_id), "job_id": str(job.pk), "correlation_id": job.correlation_id}
    return Lineage(
        parents=parents(job),
        children=children(job),
        batch=Batch.objects.for_org(job.org).filter(pk=job.batch_id).first() if job.batch_id else None,
        schedule=schedule(job, steps),
        trace_id=known["trace_id"],
        trace_url=filled(settings.TRACE_URL, known),
        log_url=filled(settings.LOG_URL, known),
    )


def parents(job: Job) -> list[Dependency]:
    """Some of the jobs that it waits for."""
    if not job.waiting_on:
        return []
    return list(Dependency.objects.filter(child_id=job.pk).order_by("parent_id")[:MOST])


def children(job: Job) -> list[Dependency]:
    """Some of the jobs that wait for it."""
    if not job.has_dependents:
        return []
    return list(Dependency.objects.filter(parent_id=job.pk).order_by("child_id")[:MOST])


def schedule(job: Job, steps: Sequence[Step]) -> str:
    """The name of the schedule that submitted it; empty for none, and where its history is too long to be shown."""
    kind, _, name = steps[0].actor.partition(":") if steps else ("", "", "")
    return name if kind == "schedule" and job.created_by_id is None else ""


def filled(template: str, known: dict[str, str]) -> str:
    return template.format(**{name: quote(value, safe="") for name, value in known.items()}) if template else ""
