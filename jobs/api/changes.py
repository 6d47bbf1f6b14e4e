"""What is changed about a job that waits: urgency and queue, and when it may start."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.docs import CHANGED, IF_UNCHANGED, MOVED_ON, body
from jobs.api.fields import MomentField, QueueNameField, TextField
from jobs.api.serializers import URGENCIES, CancellationSerializer, JobSerializer
from jobs.api.views import representation, unchanged
from jobs.queue import change
from orgs.roles import Action
from orgs.serializers import StrictSerializer

ANSWERS = {200: JobSerializer, 409: MOVED_ON, 412: CHANGED}


class JobChangeSerializer(StrictSerializer):
    """One of the two, or both."""

    urgency = serializers.ChoiceField(URGENCIES, required=False)
    queue = QueueNameField(required=False, help_text="Made if there is none of this name.")
    reason = TextField(required=False, default="", allow_blank=True, max_length=change.REASON_CHARACTERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"urgency", "queue"} & set(attrs):
            raise serializers.ValidationError("Say the urgency, the queue, or both.")
        return attrs


class SnoozeSerializer(StrictSerializer):
    """One of the two times."""

    until = MomentField(required=False, help_text="To come, at most a year away.")
    seconds = serializers.FloatField(required=False, help_text="From now; instead of until.")
    reason = TextField(required=False, default="", allow_blank=True, max_length=change.REASON_CHARACTERS)


class ChangeView(OrgView):
    actions = {"POST": Action.CHANGE}

    @extend_schema(
        operation_id="change_job",
        summary="Change a job that waits",
        description="Its urgency, its queue, or both: both or neither. It takes the place that goes with them; in "
        "another queue it comes in behind what the organisation has there. 409 for a job that runs or has ended.",
        parameters=[IF_UNCHANGED],
        request=JobChangeSerializer,
        responses=ANSWERS,
        examples=[
            body("More urgent", {"urgency": "high", "reason": "A customer waits"}),
            body("Elsewhere", {"queue": "reports"}),
        ],
    )
    def post(self, request: Request, job_id: str) -> Response:
        sent = JobChangeSerializer.read(request)
        check = unchanged(self, job_id)
        change.change(self.job(job_id).pk, scope=self.scope, request=request._request, check=check, **sent)
        return Response(representation(self.job(job_id)))


class SnoozeView(OrgView):
    actions = {"POST": Action.CHANGE}

    @extend_schema(
        operation_id="snooze_job",
        summary="Put a job off",
        description="One that is queued, or due later, is due at this time instead. 409 for a job that runs, has "
        "ended, or waits for other jobs.",
        parameters=[IF_UNCHANGED],
        request=SnoozeSerializer,
        responses=ANSWERS,
        examples=[
            body("For an hour", {"seconds": 3600}),
            body("Until the morning", {"until": "2027-01-01T06:00:00Z", "reason": "The disk is full"}),
        ],
    )
    def post(self, request: Request, job_id: str) -> Response:
        sent = SnoozeSerializer.read(request)
        check = unchanged(self, job_id)
        change.snooze(self.job(job_id).pk, scope=self.scope, request=request._request, check=check, **sent)
        return Response(representation(self.job(job_id)))


class RunNowView(OrgView):
    actions = {"POST": Action.CHANGE}

    @extend_schema(
        operation_id="run_job_now",
        summary="Queue a scheduled job at once",
        description="One that is due later, or that waits to be tried again. 409 for any other, and for one that waits "
        "for other jobs.",
        parameters=[IF_UNCHANGED],
        request=CancellationSerializer,
        responses=ANSWERS,
        examples=[body("At once", {}), body("With a reason", {"reason": "The service is back"})],
    )
    def post(self, request: Request, job_id: str) -> Response:
        sent = CancellationSerializer.read(request)
        check = unchanged(self, job_id)
        change.run_now(
            self.job(job_id).pk, scope=self.scope, request=request._request, check=check, reason=sent["reason"]
        )
        return Response(representation(self.job(job_id)))
