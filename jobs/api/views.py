"""Jobs over REST: submit, list, look at, cancel, replay."""

from functools import cache
from hashlib import sha256
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, address, correlation_id, idempotency_key, listed
from jobs.api.filters import JobQuery, check_category, filters
from jobs.api.paging import job_page
from jobs.api.serializers import (
    CancellationSerializer,
    CorrectionSerializer,
    JobSerializer,
    JobSummarySerializer,
    NewJobSerializer,
    ReplaySerializer,
    new_job,
)
from jobs.api.waits import seconds_asked, waited_for
from jobs.errors import QueueError, VersionChanged
from jobs.listing import Finder, narrowed
from jobs.models import Job
from jobs.queue import control, labels
from jobs.queue.delete import delete
from jobs.queue.enqueue import Enqueued, NewJob, enqueue
from orgs.roles import Action


class WaitingView(OrgView):
    """What jobs.api.waits asks of a view."""

    def shown(self, job_id: str) -> dict[str, Any]:
        return representation(self.job(job_id))

    def let_in_again(self) -> None:
        """What a caller who has waited may is asked anew. Raises what a first call would."""
        again = self.initialize_request(self.request._request, **self.kwargs)
        again._request._scope = None  # type: ignore[attr-defined]
        self.perform_authentication(again)
        self.check_permissions(again)
        self.request = again


class JobsView(WaitingView):
    actions = {"GET": Action.READ, "POST": Action.SUBMIT}
    submits = True

    @docs.submit
    def post(self, request: Request) -> Response:
        seconds = seconds_asked(request)
        found = submit(self, new_job(NewJobSerializer.read(request), idempotency_key(request)))
        body, headers = self.at_its_end(representation(self.stored(found)), seconds)
        response = submitted(found, body, reverse("api-job", args=[found.job_id]))
        for name, value in headers.items():
            response[name] = value
        return response

    def at_its_end(self, body: dict[str, Any], seconds: int) -> tuple[dict[str, Any], dict[str, str]]:
        """It is stored, so nothing that comes to pass while the caller waits may say that it was not."""
        try:
            return waited_for(self, body, seconds, to_its_end=True)
        except (APIException, Http404, PermissionDenied, QueueError, DatabaseError):
            return body, {}

    @docs.list_jobs
    def get(self, request: Request) -> Response:
        asked = JobQuery.asked(request)
        check_category(asked, self.scope.org)
        wanted = filters(asked)
        jobs = narrowed(listed(Job.objects.for_org(self.scope.org)), wanted)
        return job_page(request, jobs, asked, JobSummarySerializer, Finder(self.scope.org.pk, wanted))


def submit(view: OrgView, new: NewJob) -> Enqueued:
    """Stored when this returns; it raises when nothing was."""
    scope = view.scope
    return enqueue(
        new,
        org=scope.org,
        user=scope.user,
        role=scope.role,
        actor=scope.actor,
        correlation_id=correlation_id(view.request),
        address=address(view.request),
    )


@cache
def job_serializer() -> JobSerializer:
    """One for all: a new one copies each of its fields, which takes longer than storing the job."""
    return JobSerializer()


def representation(job: Job) -> dict[str, Any]:
    return dict(job_serializer().to_representation(job))


def submitted(found: Enqueued, body: object, location: str) -> Response:
    """201 for a new job; 200 when the Idempotency-Key had already brought it."""
    response = Response(body, status=201 if found.created else 200, headers={"Location": location})
    if not found.created:
        response["Idempotent-Replayed"] = "true"
    return response


def etag_of(body: dict[str, Any]) -> str:
    """Of what is shown, so that it differs after every move, progress and edit, and only then."""
    return f'"{sha256(JSONRenderer().render(body)).hexdigest()[:32]}"'


def unchanged(view: OrgView, job_id: str) -> control.Check | None:
    """What If-Match asks for: that the job is still as it was shown. None without one."""
    sent = view.request.headers.get("If-Match", "*").strip()
    if sent == "*":
        return None

    def check() -> None:
        # compared strongly (RFC 9110 13.1.1): a weak tag matches nothing
        if etag_of(representation(view.job(job_id))) not in [tag.strip() for tag in sent.split(",")]:
            raise VersionChanged

    return check


class JobView(WaitingView):
    actions = {"GET": Action.READ, "DELETE": Action.DELETE}

    @docs.get_job
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        seconds, body = seconds_asked(request), self.shown(job_id)
        # who has another version than this one is answered at once
        body, headers = waited_for(self, body, seconds if matches(request, etag_of(body)) else 0)
        response = Response(body, headers=headers)
        response["ETag"] = etag_of(body)
        return get_conditional_response(request._request, etag=response["ETag"], response=response) or response

    @extend_schema(
        operation_id="delete_job",
        summary="Delete a job that has ended",
        description="With its attempts, its log and its files, for good. One that others still wait for stays.",
        parameters=[docs.IF_UNCHANGED],
        request=None,
        responses={204: None, 409: docs.MOVED_ON, 412: docs.CHANGED},
    )
    def delete(self, request: Request, job_id: str) -> Response:
        delete(self.job(job_id).pk, scope=self.scope, request=request._request, check=unchanged(self, job_id))
        return Response(status=204)


def matches(request: Request, tag: str) -> bool:
    """Whether this is the version that the caller has; without If-None-Match he wants the next one."""
    return tag in request.headers.get("If-None-Match", tag) or request.headers["If-None-Match"].strip() == "*"


class CancellationView(OrgView):
    actions = {"POST": Action.CANCEL}

    @docs.cancel
    def post(self, request: Request, job_id: str) -> Response:
        """200 when it is over, 202 when its worker has been asked to stop."""
        sent = CancellationSerializer.read(request)
        job = self.job(job_id)
        became = control.cancel(
            job.pk, scope=self.scope, request=request._request, reason=sent["reason"], check=unchanged(self, job_id)
        )
        body = {"id": job.pk, "became": became, "status_url": reverse("api-job", args=[job.pk])}
        return Response(body, status=200 if became == "cancelled" else 202)


class ReplayView(OrgView):
    actions = {"POST": Action.REPLAY}

    @docs.replay
    def post(self, request: Request, job_id: str) -> Response:
        sent = ReplaySerializer.read(request)
        job = self.job(job_id)
        check = unchanged(self, job_id)
        control.replay(job.pk, scope=self.scope, request=request._request, payload=sent.get("payload"), check=check)
        return Response(representation(self.job(job_id)))


class ClassificationView(OrgView):
    actions = {"POST": Action.CLASSIFY}

    @docs.correct
    def post(self, request: Request, job_id: str) -> Response:
        sent = CorrectionSerializer.read(request)
        labels.correct(self.job(job_id).pk, scope=self.scope, request=request._request, **sent)
        return Response(representation(self.job(job_id)))
