"""The shapes of what stands around a job: bulk calls, its history, dead letters, queues, types, predictions."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.api.fields import MomentField, NameField, TextField
from jobs.api.filters import DeadLetterNarrowing
from jobs.api.serializers import (
    FAILURE,
    HIGH,
    LOW,
    OUTCOMES,
    SOURCE,
    SOURCES,
    STATUSES,
    ExpectedSerializer,
    JobSummarySerializer,
    NewJobSerializer,
)
from jobs.models import Artefact, Attempt, LogLine, Transition
from jobs.queue.new_job import MAX_LENGTHS, MAX_PARENTS
from jobs.ranking import POLICIES
from orgs.serializers import StrictSerializer

# Beyond it a pause is refused, which must not be too much to say.
MOST_SECONDS = 10**9
BULK_STATUSES = CREATED, EXISTING, REFUSED = "created", "existing", "refused"


class FieldErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer to the field of the body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class LinkedJobSerializer(NewJobSerializer):
    """A job of a call with many; it may wait for those before it."""

    ref = NameField(
        required=False, max_length=MAX_LENGTHS["ref"], help_text="What later jobs of the same call name it by."
    )
    after = serializers.ListField(
        child=NameField(max_length=MAX_LENGTHS["ref"]),
        required=False,
        max_length=MAX_PARENTS,
        help_text="Jobs that must be done first: ids, or the `ref` of a job before it in this call. If one of them "
        "fails or is cancelled, this one is cancelled.",
    )
    after_end = serializers.ListField(
        child=NameField(max_length=MAX_LENGTHS["ref"]),
        required=False,
        max_length=MAX_PARENTS,
        help_text="Jobs that must have ended first, however they end: ids, or refs.",
    )


class BulkJobSerializer(LinkedJobSerializer):
    """One job of a bulk call."""

    idempotency_key = TextField(required=False, max_length=MAX_LENGTHS["idempotency_key"])


@extend_schema_field(BulkJobSerializer(many=True))
class BulkJobsField(serializers.ListField):
    """Its items are looked at one by one, so that one that is wrong does not stop the others."""


class BulkSerializer(StrictSerializer):
    jobs = BulkJobsField(min_length=1, max_length=settings.BULK_MAX_JOBS)


class BulkItemSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(BULK_STATUSES)
    id = serializers.UUIDField(required=False)
    status_url = serializers.CharField(required=False)
    code = serializers.CharField(required=False, help_text="Why it was refused, as in a problem's `type`.")
    detail = serializers.CharField(required=False)
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    existing = serializers.IntegerField()
    refused = serializers.IntegerField()
    items = BulkItemSerializer(many=True)


class AttemptSerializer(serializers.Serializer[Attempt]):
    number = serializers.IntegerField()
    worker = serializers.CharField(source="worker_name")
    started_at = MomentField()
    last_beat_at = MomentField(help_text="The last time its worker renewed the lease.")
    ended_at = MomentField(allow_null=True, help_text="Null while it runs.")
    outcome = serializers.ChoiceField(OUTCOMES, allow_null=True, help_text="Null while it runs.")
    runtime_ms = serializers.FloatField(allow_null=True)
    predicted_ms = serializers.FloatField()
    error_type = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    fenced_at = MomentField(
        allow_null=True, help_text="Its worker, which had lost the lease, came with an end then and was refused."
    )


class TransitionSerializer(serializers.Serializer[Transition]):
    id = serializers.IntegerField(help_text="Grows over all jobs of the platform.")
    from_status = serializers.ChoiceField(STATUSES, allow_null=True, help_text="Null for the submit.")
    to_status = serializers.ChoiceField(STATUSES)
    attempt = serializers.IntegerField()
    actor = serializers.CharField(
        help_text="`user:` and a name, `key:` and its id, `worker:` and a name, `leader` or `watchdog`."
    )
    reason = serializers.CharField(allow_blank=True)
    at = MomentField()


class LogLineSerializer(serializers.Serializer[LogLine]):
    attempt = serializers.IntegerField()
    sequence = serializers.IntegerField(help_text="From 0, in each attempt anew.")
    stream = serializers.ChoiceField(["log", "stdout", "stderr"])
    text = serializers.CharField(allow_blank=True)
    at = MomentField()


class ArtefactSerializer(serializers.Serializer[Artefact]):
    id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    name = serializers.CharField()
    content_type = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    created_at = MomentField()
    url = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_url(self, artefact: Artefact) -> str:
        return reverse("api-job-artefact", args=[artefact.job_id, artefact.pk])


class DeadLetterSerializer(JobSummarySerializer):
    """A failed job: `reason` is its error, or the error's class."""

    reason = serializers.SerializerMethodField()
    attempts = serializers.IntegerField(source="attempt", help_text="In all its lives.")
    failed_at = MomentField(source="finished_at")

    def get_reason(self, job: Any) -> str:
        return ": ".join(text for text in (job.error_type, job.error_start) if text)


class ReplayManySerializer(StrictSerializer):
    """Either `ids`, or a `filter`; an empty filter means every dead letter."""

    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, min_length=1, max_length=settings.BULK_MAX_JOBS
    )
    filter = DeadLetterNarrowing(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give one of ids and filter.", "one_of")
        return attrs


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="How many were dead letters, and are queued again.")
    refused = serializers.IntegerField(
        help_text="For how many there was no room (`waiting_jobs`, `payload_bytes`); later ones are then left alone."
    )
    more = serializers.BooleanField(help_text="True when a call's bound was reached: call again for the rest.")


class TaskSchemaSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField(source="doc", allow_blank=True)
    schema = serializers.DictField(help_text="JSON Schema of its `kwargs`.")


class JobTypeSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    schema = serializers.DictField(help_text="JSON Schema (2020-12) of the payload.")
    example = serializers.DictField(help_text="A payload that fits.")
    tasks = TaskSchemaSerializer(many=True, help_text="What python jobs may run; empty for other types.")


class JobTypesSerializer(serializers.Serializer[Any]):
    items = JobTypeSerializer(many=True)


class CountsSerializer(serializers.Serializer[Any]):
    """Jobs by status, exact."""

    scheduled = serializers.IntegerField()
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class QueueSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="queue.name")
    paused = serializers.BooleanField(source="queue.paused")
    paused_at = MomentField(source="queue.paused_at", allow_null=True)
    paused_by = serializers.CharField(source="queue.paused_by.username", default=None, allow_null=True)
    pause_reason = serializers.CharField(source="queue.pause_reason", allow_blank=True)
    resume_at = MomentField(source="queue.resume_at", allow_null=True, help_text="When the pause ends by itself.")
    closed = serializers.BooleanField(source="queue.closed", help_text="It takes no new jobs.")
    closed_at = MomentField(source="queue.closed_at", allow_null=True)
    closed_by = serializers.CharField(source="queue.closed_by.username", default=None, allow_null=True)
    close_reason = serializers.CharField(source="queue.close_reason", allow_blank=True)
    policy = serializers.ChoiceField(POLICIES, source="queue.ordered_by", help_text="What its new jobs are ordered by.")
    target_seconds = serializers.IntegerField(
        source="queue.target_seconds", allow_null=True, help_text="No job should wait longer."
    )
    counts = CountsSerializer()
    waiting_since = MomentField(allow_null=True, help_text="Since when the oldest waits.")
    late = serializers.BooleanField(help_text="The oldest waits longer than the target.")
    workers = serializers.IntegerField(help_text="Workers online that take its jobs.")
    slots = serializers.IntegerField(help_text="So many jobs those can run at once, of all their queues.")
    max_running = serializers.IntegerField(allow_null=True, help_text="What the limit of this queue says.")
    empty_in_seconds = serializers.FloatField(
        source="empty_seconds",
        allow_null=True,
        help_text="Until what waits in it now will have run, as predicted, over the slots. Null when nothing waits, or "
        "nothing would start.",
    )


class QueueChangeSerializer(StrictSerializer):
    """What is left out stays."""

    target_seconds = serializers.IntegerField(
        required=False, allow_null=True, help_text="No job should wait longer. Null: nobody says."
    )
    policy = serializers.ChoiceField(
        POLICIES,
        required=False,
        allow_null=True,
        help_text="learned: by predicted run time and urgency, ageing; priority: by the priority as shown; fifo: first "
        "come, first served. Null: as the deployment has it.",
    )


class WhySerializer(StrictSerializer):
    reason = TextField(required=False, default="", allow_blank=True, max_length=200)


class PauseSerializer(WhySerializer):
    resume_at = MomentField(required=False, allow_null=True, help_text="When it ends by itself.")
    resume_in_seconds = serializers.FloatField(required=False, allow_null=True, help_text="The same from now on.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """With `until` for the verbs."""
        at, seconds = attrs.pop("resume_at", None), attrs.pop("resume_in_seconds", None)
        if at is not None and seconds is not None:
            raise serializers.ValidationError("Give one of resume_at and resume_in_seconds.", "one_of")
        return attrs | {"until": at if seconds is None else timedelta(seconds=min(max(seconds, 0), MOST_SECONDS))}


class ForecastSerializer(serializers.Serializer[Any]):
    predicted_ms = serializers.FloatField()
    low_ms = serializers.FloatField(allow_null=True, help_text=LOW)
    high_ms = serializers.FloatField(allow_null=True, help_text=HIGH)
    failure_probability = serializers.FloatField(allow_null=True, help_text=FAILURE)
    source = serializers.ChoiceField(SOURCES, help_text=SOURCE)  # type: ignore[assignment]
    model_version = serializers.IntegerField(allow_null=True)
    priority = serializers.FloatField()
    starts_in_seconds = serializers.FloatField(allow_null=True, help_text="Null when no worker serves the queue.")
    expected = ExpectedSerializer(allow_null=True, help_text="If it were submitted now.")


class PlatformJobSerializer(JobSummarySerializer):
    """A job of any organisation; look at it with `X-Org: <org>`."""

    org = serializers.CharField(source="org_slug")
