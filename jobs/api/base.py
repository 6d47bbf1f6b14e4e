"""What the views inside an organisation share: who acts where, the job of a path, the key of a submit."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.db.models import CharField, F
from django.db.models.functions import Coalesce, Left
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs.errors import JobNotFound
from jobs.models import Job, JobQuerySet
from jobs.queue.enqueue import Enqueued
from orgs.client import client_address
from orgs.roles import Action
from orgs.scope import Scope, scope_of

# How much of an error a list shows.
ERROR_START = 300
# What a list leaves out, so that a page of it stays light.
HEAVY = ("payload", "result", "description", "error")


class OrgView(APIView):
    """A view inside an organisation; `actions` says what each method asks of the caller's role."""

    actions: ClassVar[dict[str, Action]] = {}
    # Whether a POST brings a job.
    submits: ClassVar[bool] = False

    @property
    def scope(self) -> Scope:
        return scope_of(self.request)

    def jobs_sent(self, request: Request) -> int:
        """How many jobs a call brings, which are then counted in place of the call."""
        return int(self.submits and request.method == "POST")

    def job(self, job_id: str | UUID) -> Job:
        """The job of a path, whole. Raises JobNotFound, alike for a malformed id and another organisation's."""
        job = shown(Job.objects.for_org(self.scope.org)).filter(pk=parsed_id(job_id)).first()
        if job is None:
            raise JobNotFound
        return job

    def stored(self, found: Enqueued) -> Job:
        """The job of a submit, whole: as it was stored, when it is new."""
        # one that waits for others that have ended already was told so after it was stored
        job = found.job
        if job is None or job.waiting_on:
            return self.job(found.job_id)
        job.without_lease()
        # what shown() annotates
        vars(job).update(creator=self.scope.user.get_username(), begun_at=job.started_at)
        return job


def shown(jobs: JobQuerySet) -> JobQuerySet:
    """With everything that JobSerializer shows beside the columns, in the one statement."""
    return jobs.with_state().annotate(
        creator=F("created_by__username"), begun_at=Coalesce("lease_started_at", "started_at")
    )


def listed(jobs: JobQuerySet) -> JobQuerySet:
    """What JobSummarySerializer shows."""
    light = shown(jobs.staying()).defer(*HEAVY)
    return light.annotate(error_start=Left("error", ERROR_START, output_field=CharField()))


def jobs_in(request: Request) -> int:
    """Of a call that brings a list of them; whatever is wrong with it is said later, and counts as one."""
    jobs = request.data.get("jobs") if isinstance(request.data, Mapping) else None
    return max(len(jobs), 1) if isinstance(jobs, list) else 1


def parsed_id(text: str | UUID) -> UUID:
    """Raises JobNotFound for what is no id in its usual form."""
    try:
        found = UUID(str(text))
    except ValueError:
        raise JobNotFound from None
    if str(found) != str(text).lower():
        raise JobNotFound
    return found


def correlation_id(request: Request) -> str:
    return str(getattr(request._request, "correlation_id", ""))


def address(request: Request) -> str | None:
    return client_address(request._request)


def idempotency_key(request: Request) -> str | None:
    """The header's value, bare or as a quoted string (RFC 9651)."""
    sent = request.headers.get("Idempotency-Key")
    if sent is not None and len(sent) >= 2 and sent[0] == sent[-1] == '"':
        return sent[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return sent
