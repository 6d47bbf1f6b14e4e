"""Batches over REST: submit jobs that belong together, look how far they are, cancel the rest."""

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import batch_docs as docs
from jobs.api.base import OrgView, address, correlation_id, idempotency_key, jobs_in, parsed_id
from jobs.api.batch_shapes import (
    BatchCancelledSerializer,
    BatchSerializer,
    NewBatchAnswerSerializer,
    NewBatchSerializer,
)
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.serializers import CancellationSerializer, new_job
from jobs.errors import JobNotFound
from jobs.models import Batch
from jobs.queue.batches import Callback, cancel_batch, enqueue_batch
from orgs.roles import Action
from orgs.scope import Scope


class BatchesView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.SUBMIT}

    def jobs_sent(self, request: Request) -> int:
        return jobs_in(request) if request.method == "POST" else 0

    @docs.submit
    def post(self, request: Request) -> Response:
        asked = NewBatchSerializer.read(request)
        scope = self.scope
        made = enqueue_batch(
            [new_job(job) for job in asked["jobs"]],
            org=scope.org,
            user=scope.user,
            callback=callback(asked.get("callback")),
            name=asked["name"],
            role=scope.role,
            actor=scope.actor,
            correlation_id=correlation_id(request),
            address=address(request),
            idempotency_key=idempotency_key(request),
        )
        batch = batch_of(str(made.batch_id), scope)
        batch.job_ids = made.job_ids  # type: ignore[attr-defined]
        headers = {"Location": reverse("api-batch", args=[batch.pk])}
        if not made.created:
            headers["Idempotent-Replayed"] = "true"
        body = NewBatchAnswerSerializer(batch).data
        return Response(body, status=201 if made.created else 200, headers=headers)

    @docs.list_batches
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Batch.objects.for_org(self.scope.org).with_counts().select_related("created_by")
        batches, next_cursor = key_page(rows, "-id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, batches, next_cursor, BatchSerializer)


def callback(asked: dict[str, Any] | None) -> Callback | None:
    return Callback(new_job(asked["job"]), asked["when"]) if asked else None


def batch_of(batch_id: str, scope: Scope) -> Batch:
    """Raises JobNotFound, alike for a malformed id and another organisation's."""
    rows = Batch.objects.for_org(scope.org).with_counts().select_related("created_by")
    batch = rows.filter(pk=parsed_id(batch_id)).first()
    if batch is None:
        raise JobNotFound("There is no such batch.")
    return batch


class BatchView(OrgView):
    actions = {"GET": Action.READ}

    @docs.get_batch
    def get(self, request: Request, batch_id: str) -> Response:
        return Response(BatchSerializer(batch_of(batch_id, self.scope)).data)


class BatchCancellationView(OrgView):
    actions = {"POST": Action.CANCEL}

    @docs.cancel
    def post(self, request: Request, batch_id: str) -> Response:
        sent = CancellationSerializer.read(request)
        batch = batch_of(batch_id, self.scope)
        became = cancel_batch(batch.pk, scope=self.scope, request=request._request, reason=sent["reason"])
        return Response(BatchCancelledSerializer(became).data)
