"""What happened to a job: its attempts, moves, log lines and files."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, parsed_id
from jobs.api.filters import LogQuery, PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.shapes import ArtefactSerializer, AttemptSerializer, LogLineSerializer, TransitionSerializer
from jobs.downloads import download
from jobs.errors import ArtefactNotFound
from jobs.models import Artefact, Attempt, Job, Lease, LogLine, Transition
from jobs.models.artefact import ArtefactQuerySet
from orgs.removed_names import without_actors
from orgs.roles import Action


class AttemptsView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_attempts
    def get(self, request: Request, job_id: str) -> Response:
        asked = PageQuery.asked(request)
        job = self.job(job_id)
        # Read before the attempts: one that ends in between is then shown once, ended.
        lease = Lease.objects.filter(job_id=job.pk).first()
        rows = Attempt.objects.filter(job_id=job.pk)
        attempts, next_cursor = key_page(rows, "number", limit=asked["limit"], cursor=asked["cursor"])
        if lease and next_cursor is None and lease.attempt not in {attempt.number for attempt in attempts}:
            attempts.append(running(job, lease))
        return page_response(request, attempts, next_cursor, AttemptSerializer)


def running(job: Job, lease: Lease) -> Attempt:
    """The attempt that has no row yet."""
    return Attempt(
        job_id=job.pk,
        number=lease.attempt,
        worker_name=lease.worker_name,
        started_at=lease.leased_at,
        last_beat_at=lease.renewed_at,
        ended_at=None,  # type: ignore[misc]
        outcome=None,
        runtime_ms=None,
        predicted_ms=lease.predicted_ms,
    )


class TransitionsView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_transitions
    def get(self, request: Request, job_id: str) -> Response:
        asked = PageQuery.asked(request)
        rows = Transition.objects.filter(job_id=self.job(job_id).pk)
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, without_actors(found, "actor"), next_cursor, TransitionSerializer)


class LogsView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_logs
    def get(self, request: Request, job_id: str) -> Response:
        asked = LogQuery.asked(request)
        rows = LogLine.objects.filter(job_id=self.job(job_id).pk)
        if "attempt" in asked:
            rows = rows.filter(attempt=asked["attempt"])
        if "after" in asked:
            rows = rows.filter(sequence__gt=asked["after"])
        found = key_page(rows, "attempt", "sequence", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, *found, LogLineSerializer)


class ArtefactsView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_artefacts
    def get(self, request: Request, job_id: str) -> Response:
        asked = PageQuery.asked(request)
        rows = artefacts(self, job_id)
        return page_response(
            request, *key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"]), ArtefactSerializer
        )


def artefacts(view: OrgView, job_id: str) -> ArtefactQuerySet:
    """Of a job, those that the caller may take."""
    scope = view.scope
    return Artefact.objects.for_org(scope.org).seen_by(scope.role).filter(job_id=view.job(job_id).pk)


class AsItIs(BaseContentNegotiation):
    """A file has the one type it has, whatever is asked for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ArtefactView(OrgView):
    actions = {"GET": Action.READ}
    content_negotiation_class = AsItIs

    @docs.get_artefact
    def get(self, request: Request, job_id: str, artefact_id: str) -> HttpResponseBase:
        """Always as a download: what a job made is nothing to be run in a page of ours."""
        rows = artefacts(self, job_id)
        artefact = rows.filter(pk=parsed_id(artefact_id)).first()
        if artefact is None:
            raise ArtefactNotFound
        return download(request._request, artefact)
