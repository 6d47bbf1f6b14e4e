"""The page of one job: what was asked, what happened, why, and what can be done about it."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Subquery, When
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from jobs import audit_list
from jobs.audit_list import AuditFilters
from jobs.downloads import download
from jobs.errors import ArtefactNotFound
from jobs.handlers import registry
from jobs.hiding import hide
from jobs.models import Artefact, BulkHold, BulkOperation, Job, Lease, LogLine, Queue, ToClassify
from jobs.models.artefact import ArtefactQuerySet
from jobs.pages.commands import snippets
from jobs.pages.history import steps, tries
from jobs.pages.kind import kind_of
from jobs.pages.lineage import lineage
from jobs.pages.live import job_version, unchanged
from jobs.pages.neighbours import neighbours
from jobs.pages.track import track
from jobs.pages.truth import progress, truths
from jobs.pages.values import SHOWN_CHARACTERS, parts
from jobs.pages.waiting import waiting
from jobs.pages.why import why
from jobs.queue.change import WAITING
from jobs.ranking import URGENCY_FACTOR
from jobs.states import TERMINAL, Status
from orgs import walls
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope, scope_of

# A job in one of these stays as it is; a dead letter may be replayed by somebody else.
SETTLED = TERMINAL - {Status.FAILED}
MOST_QUEUES, MOST_ENTRIES = 200, 20
COMPACT, FULL = "compact", "full"
PLAIN = {"ensure_ascii": False}


def get_job_for(scope: Scope, job_id: UUID) -> Job:
    """The job with its state, or Http404 when it is none of the organisation's."""
    jobs = (
        Job.objects.for_org(scope.org)
        .with_state()
        .annotate(unread=Exists(ToClassify.objects.filter(pk=OuterRef("pk"))), **soon_acted_on())
    )
    job = jobs.select_related("created_by", "org").filter(pk=job_id).first()
    if job is None:
        raise Http404
    return job


def soon_acted_on() -> dict[str, Subquery]:
    """Which operation that can still be undone is about it, when that begins, and whether it deletes the job."""
    hold = BulkHold.objects.filter(job_id=OuterRef("pk")).order_by("pk")
    begins = BulkOperation.objects.filter(pk=OuterRef("leaving_by")).values("start_at")
    return {
        "leaving_by": Subquery(hold.values("operation_id")[:1]),
        "leaving_at": Subquery(begins[:1]),
        "leaves": Subquery(hold.values("hides")[:1]),
    }


@org_page(Action.READ)
def job_page(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Everything about a job, live until it has ended."""
    version = job_version(job_id)
    job = get_job_for(scope, job_id)
    if same := unchanged(request, version):
        return same
    return page_or_fragment(request, "jobs/job.html", "jobs/_job.html", context_of(request, job, version))


def context_of(request: HttpRequest, job: Job, version: str) -> dict[str, Any]:
    scope = scope_of(request)
    lease = Lease.objects.filter(job_id=job.pk).first() if job.state == Status.RUNNING else None
    made, moves, queues = tries(job, lease), steps(job), queues_for(job)
    first_start = next((one.started_at for one in made if one.number == 1), None)
    history = COMPACT if request.GET.get("history") == COMPACT else FULL
    return {
        "job": job,
        "version": version,
        "live": job.state not in SETTLED,
        "ended": job.state in TERMINAL,
        "internal": registry.is_internal(job.type),
        "lease": lease,
        "tries": made,
        "steps": moves,
        "pieces": track(moves, timezone.now()),
        "history": history,
        "here": here(request, job),
        "link": request.build_absolute_uri(f"/jobs/{job.pk}/?{urlencode({'org': job.org.slug})}"),
        "waiting": waiting(job, next((one for one in queues if one.name == job.queue), None)),
        "progress": progress(made, lease.progress, lease.progress_message) if lease else None,
        "truths": truths(job, first_start),
        "run_share": made[0].share if made else 0.0,
        "lineage": lineage(job, moves),
        "replays": job.life - 1,
        "replay_steps": [step for step in moves if step.reason == "replay"],
        "kind": kind_of(job),
        "trail": trail(scope, job) if scope.can(Action.SEE_AUDIT) else None,
        # what stands before and after it in the list that it was come by
        "neighbours": neighbours(scope, job, request.GET.get("in", "")),
        "why": why(job),
        "result_parts": (found := parts(job.result) if job.status in TERMINAL else []),
        # short enough to be there once more as it is, to be copied
        "result_whole": sum(len(one.text) for one in found) <= SHOWN_CHARACTERS,
        "artefacts": artefacts(scope, job).order_by("attempt", "name")[:100],
        "snippets": snippets(request, job.org, job),
        **change_choices(job, queues),
    }


def artefacts(scope: Scope, job: Job) -> ArtefactQuerySet:
    return Artefact.objects.for_org(scope.org).seen_by(scope.role).filter(job_id=job.pk)


def here(request: HttpRequest, job: Job) -> str:
    """The page as it is shown, for the refresh."""
    kept = {name: request.GET[name] for name in ("history", "in") if name in request.GET}
    return f"/jobs/{job.pk}/" + (f"?{urlencode(kept)}" if kept else "")


def queues_for(job: Job) -> list[Queue]:
    """Where a job that waits may go; first the queue it is in."""
    if job.state not in WAITING:
        return []
    own_first = Case(When(name=job.queue, then=0), default=1)
    queues = Queue.objects.for_org(job.org).select_related("paused_by")
    return list(queues.order_by(own_first, "name")[:MOST_QUEUES])


def change_choices(job: Job, queues: list[Queue]) -> dict[str, Any]:
    """What a job that waits can be changed to."""
    if job.state not in WAITING:
        return {"changeable": False}
    return {"changeable": True, "urgencies": list(URGENCY_FACTOR), "queues": sorted(one.name for one in queues)}


def trail(scope: Scope, job: Job) -> list[dict[str, Any]]:
    """The newest audit entries of it."""
    entries = audit_list.audit_of(scope, AuditFilters()).filter(audit_list.about(job.pk, job.batch_id))
    return audit_list.shown(entries.order_by("-at", "-pk")[:MOST_ENTRIES])


@org_page(Action.READ)
def job_timeline(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """The newest moves as JSON, in the order they happened."""
    job = get_job_for(scope, job_id)
    return JsonResponse(
        {"job_id": str(job.pk), "moves": [asdict(step) for step in steps(job)]}, json_dumps_params=PLAIN
    )


@org_page(Action.READ)
def job_payload(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """The payload alone, as JSON, as it may be shown."""
    return JsonResponse(hide(get_job_for(scope, job_id).payload), json_dumps_params=PLAIN)


@org_page(Action.READ)
def job_result(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """The result alone, as JSON."""
    return JsonResponse(get_job_for(scope, job_id).result, safe=False, json_dumps_params=PLAIN)


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
