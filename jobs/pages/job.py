"""The page of one job: what was asked, what happened, why, and what can be done about it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from jobs.downloads import download
from jobs.errors import ArtefactNotFound
from jobs.handlers import registry
from jobs.models import Artefact, Dependency, Job, Lease, LogLine
from jobs.models.artefact import ArtefactQuerySet
from jobs.pages.commands import submit_command
from jobs.pages.history import steps, tries
from jobs.pages.live import job_version, unchanged
from jobs.pages.values import parts
from jobs.pages.waiting import waiting
from jobs.pages.why import why
from jobs.states import TERMINAL, Status
from orgs import walls
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope, scope_of

# A job in one of these stays as it is; a dead letter may be replayed by somebody else.
SETTLED = TERMINAL - {Status.FAILED}
MOST_PARENTS = 10


def get_job_for(scope: Scope, job_id: UUID) -> Job:
    """The job with its state, or Http404 when it is none of the organisation's."""
    job = Job.objects.for_org(scope.org).with_state().select_related("created_by", "org").filter(pk=job_id).first()
    if job is None:
        raise Http404
    return job


@org_page(Action.READ)
def job_page(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Everything about a job, live until it has ended."""
    version = job_version(job_id)
    job = get_job_for(scope, job_id)
    if same := unchanged(request, version):
        return same
    return page_or_fragment(request, "jobs/job.html", "jobs/_job.html", context_of(request, job, version))


def context_of(request: HttpRequest, job: Job, version: str) -> dict[str, Any]:
    lease = Lease.objects.filter(job_id=job.pk).first() if job.state == Status.RUNNING else None
    made = tries(job, lease)
    return {
        "job": job,
        "version": version,
        "live": job.state not in SETTLED,
        "ended": job.state in TERMINAL,
        "internal": registry.is_internal(job.type),
        "lease": lease,
        "tries": made,
        "first_start": next((one.started_at for one in made if one.number == 1), None),
        "steps": steps(job),
        "waiting": waiting(job),
        "parents": parents(job),
        "why": why(job),
        "result_parts": parts(job.result) if job.status in TERMINAL else [],
        "artefacts": artefacts(scope_of(request), job).order_by("attempt", "name")[:100],
        "curl": submit_command(request, job.org, job),
    }


def artefacts(scope: Scope, job: Job) -> ArtefactQuerySet:
    return Artefact.objects.for_org(scope.org).seen_by(scope.role).filter(job_id=job.pk)


def parents(job: Job) -> list[Dependency]:
    """Some of the jobs it waits for."""
    if not job.waiting_on:
        return []
    return list(Dependency.objects.filter(child_id=job.pk).order_by("parent_id")[:MOST_PARENTS])


@org_page(Action.READ)
def job_result(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """The result alone, as JSON."""
    return JsonResponse(get_job_for(scope, job_id).result, safe=False, json_dumps_params={"ensure_ascii": False})


@org_page(Action.READ)
def job_log(request: HttpRequest, scope: Scope, job_id: UUID, attempt: int) -> HttpResponseBase:
    """All lines of one attempt as text."""
    job = get_job_for(scope, job_id)
    lines = LogLine.objects.filter(job_id=job.pk, attempt=attempt).order_by("sequence")
    stamped = (
        f"{at:%Y-%m-%dT%H:%M:%S.%fZ} {stream:<6} {text}\n"
        for at, stream, text in lines.values_list("at", "stream", "text").iterator(chunk_size=1_000)
    )
    response = StreamingHttpResponse(walls.carried(stamped), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="{job.short_id}-{attempt}.log"'
    return response


@org_page(Action.READ)
def artefact(request: HttpRequest, scope: Scope, job_id: UUID, artefact_id: UUID) -> HttpResponseBase:
    """A file that an attempt left, always as a download: it never becomes a page of ours."""
    job = get_job_for(scope, job_id)
    found = artefacts(scope, job).filter(pk=artefact_id).first()
    if found is None:
        raise Http404
    try:
        return download(request, found)
    except ArtefactNotFound as error:
        raise Http404 from error
