"""The shapes of batches: what makes one, and what is shown of it."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.api.fields import MomentField, NameField
from jobs.api.serializers import CONDITIONS, NewJobSerializer
from jobs.api.shapes import LinkedJobSerializer
from jobs.hiding import hide
from jobs.models import Batch
from orgs.serializers import StrictSerializer


class CallbackJobSerializer(NewJobSerializer):
    """The job that a batch calls."""

    run_at = None  # type: ignore[assignment]
    after = None  # type: ignore[assignment]
    after_end = None  # type: ignore[assignment]


class NewCallbackSerializer(StrictSerializer):
    when = serializers.ChoiceField(
        CONDITIONS, required=False, default=Batch.END, help_text="`success`: when all are done. `end`: when all ended."
    )
    job = CallbackJobSerializer()


class NewBatchSerializer(StrictSerializer):
    """Jobs that belong together: all are stored, or none."""

    name = NameField(required=False, default="", max_length=64)
    # many=True makes a ListSerializer of it, which takes the two lengths
    jobs = LinkedJobSerializer(many=True, min_length=1, max_length=settings.BULK_MAX_JOBS)  # type: ignore[call-arg]
    callback = NewCallbackSerializer(
        required=False, help_text="A job that is enqueued once, when the batch is through."
    )


class ShownJobField(serializers.DictField):
    """What a submit asks for, as it may be shown."""

    def to_representation(self, value: Any) -> Any:
        return hide(value)


class CallbackSerializer(serializers.Serializer[Batch]):
    """When the batch calls, what, and what came of it."""

    when = serializers.ChoiceField(CONDITIONS, source="callback_when")
    job = ShownJobField(source="callback", help_text="As it was given; its payload as a job's is shown.")
    job_id = serializers.UUIDField(source="callback_job_id", allow_null=True, help_text="Once it is enqueued.")
    refused = serializers.CharField(
        source="callback_error", allow_blank=True, help_text="Why it could not be enqueued: its type is gone, say."
    )


class BatchSerializer(serializers.Serializer[Batch]):
    """A batch with its counts, exact."""

    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    total = serializers.IntegerField()
    pending = serializers.SerializerMethodField(help_text="Waiting or running.")
    done = serializers.IntegerField(source="ended_done")
    failed = serializers.IntegerField(source="ended_failed")
    cancelled = serializers.IntegerField(source="ended_cancelled")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()
    finished_at = MomentField(allow_null=True, help_text="When the last had ended; null again while one is replayed.")
    correlation_id = serializers.CharField()
    callback = serializers.SerializerMethodField()
    jobs_url = serializers.SerializerMethodField()
    status_url = serializers.SerializerMethodField()

    def get_pending(self, batch: Batch) -> int:
        return batch.total - batch.ended_done - batch.ended_failed - batch.ended_cancelled

    @extend_schema_field(CallbackSerializer(allow_null=True))
    def get_callback(self, batch: Batch) -> Any:
        return CallbackSerializer(batch).data if batch.callback_when else None

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_jobs_url(self, batch: Batch) -> str:
        return f"{reverse('api-jobs')}?batch={batch.pk}"

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_status_url(self, batch: Batch) -> str:
        return reverse("api-batch", args=[batch.pk])


class NewBatchAnswerSerializer(BatchSerializer):
    """A batch as its submit is answered."""

    job_ids = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="In the order sent. A repeat leaves out those that have been deleted since, by their age.",
    )


class BatchCancelledSerializer(serializers.Serializer[Any]):
    cancelled = serializers.IntegerField(help_text="How many were waiting, and are cancelled.")
    cancelling = serializers.IntegerField(help_text="How many are running, and were asked to stop.")
