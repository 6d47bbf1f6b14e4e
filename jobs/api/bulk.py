"""Many jobs in one call, each with its own outcome."""

from typing import Any

from django.urls import reverse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs, faults
from jobs.api.base import OrgView, address, correlation_id, jobs_in
from jobs.api.serializers import NewJobSerializer, new_job, shared
from jobs.api.shapes import CREATED, EXISTING, REFUSED, BulkJobSerializer, BulkSerializer
from jobs.errors import QueueError
from jobs.queue.enqueue import Enqueued, NewJob, enqueue_many
from orgs.roles import Action


class BulkView(OrgView):
    actions = {"POST": Action.SUBMIT}

    def jobs_sent(self, request: Request) -> int:
        return jobs_in(request)

    @docs.submit_many
    def post(self, request: Request) -> Response:
        """All that are valid are stored by one statement; 207 says that some were not."""
        asked = BulkSerializer.read(request)["jobs"]
        serializer = shared(BulkJobSerializer)
        items = [checked(serializer, item, index) for index, item in enumerate(asked)]
        scope = self.scope
        outcomes = iter(
            enqueue_many(
                [item for item in items if isinstance(item, NewJob)],
                org=scope.org,
                user=scope.user,
                role=scope.role,
                actor=scope.actor,
                correlation_id=correlation_id(request),
                address=address(request),
            )
        )
        shown = [
            described(next(outcomes), index) if isinstance(item, NewJob) else item for index, item in enumerate(items)
        ]
        counts = {word: sum(item["status"] == word for item in shown) for word in (CREATED, EXISTING, REFUSED)}
        return Response({**counts, "items": shown}, status=207 if counts[REFUSED] else 200)


def checked(serializer: NewJobSerializer, item: Any, index: int) -> NewJob | dict[str, Any]:
    """The job, or the outcome of one whose shape is wrong."""
    try:
        return new_job(dict(serializer.run_validation(item)))
    except ValidationError as error:
        errors = faults.first(faults.of_detail(error.detail, f"/jobs/{index}"))
    return refused(index, "validation", "The job is not valid; see errors.", errors)


def described(outcome: Enqueued | QueueError, index: int) -> dict[str, Any]:
    if isinstance(outcome, QueueError):
        errors = faults.first(faults.of_error(outcome, f"/jobs/{index}"))
        return refused(index, outcome.code, outcome.detail, errors)
    return {
        "index": index,
        "status": CREATED if outcome.created else EXISTING,
        "id": str(outcome.job_id),
        "status_url": reverse("api-job", args=[outcome.job_id]),
    }


def refused(index: int, code: str, detail: str, errors: list[faults.Fault]) -> dict[str, Any]:
    return {"index": index, "status": REFUSED, "code": code, "detail": detail, "errors": errors}
