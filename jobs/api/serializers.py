"""The shape of a job: what a submit takes, and what is shown of it. They check and shape; they do not act."""

from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from jobs import retries, states
from jobs.api.fields import MomentField, NameField, QueueNameField, TagField, TextField
from jobs.classifying import SOURCES as CLASSIFIED_BY
from jobs.hiding import hide
from jobs.masking import MASK
from jobs.models import Dependency, Job
from jobs.models.classification import CATEGORY_CHARACTERS
from jobs.queue.new_job import MAX_LENGTHS, MAX_PARENTS, MOST_TAGS, NewJob
from jobs.ranking import URGENCY_FACTOR
from jobs.states import Outcome, Status
from orgs.serializers import StrictSerializer

URGENCIES = list(URGENCY_FACTOR)
STATUSES = [str(status) for status in Status]
OUTCOMES = [str(outcome) for outcome in Outcome]
# Of a prediction.
LOW, HIGH = "p10; null where no run is known.", "p90; null where no run is known."
FAILURE = "How likely an attempt is to fail, 0 to 1; null where no run is known."
SOURCE = (
    "A trained `model`; the `history` of its kind; runs of `similar` jobs, of its user, its type or its organisation; "
    "`default` where nothing has run. `type_median` only of jobs from before there was `similar`."
)
SOURCES = ["model", "history", "similar", "type_median", "default"]
CONDITIONS = [Dependency.SUCCESS, Dependency.END]
COMPATIBLE_STATUSES = [*states.COMPATIBLE, "CANCELLED"]


class PayloadField(serializers.DictField):
    """A JSON object; its type says what is in it."""

    def __init__(self, **kwargs: Any) -> None:
        text = f"At most {settings.PAYLOAD_MAX_BYTES} bytes of JSON, in the shape that GET /job-types/ shows."
        super().__init__(**{"help_text": text, **kwargs})

    def to_representation(self, value: Any) -> Any:
        return hide(value)


class ShownPayloadField(PayloadField):
    """The same, where it is only shown."""

    def __init__(self) -> None:
        super().__init__(help_text=f"Values under names like `password` or `token` are shown as {MASK}.")


class RetrySerializer(StrictSerializer):
    base_seconds = serializers.FloatField(
        required=False, min_value=retries.MIN_SECONDS, help_text="After the first failure; twice as long after each."
    )
    cap_seconds = serializers.FloatField(required=False, min_value=retries.MIN_SECONDS, help_text="Never longer.")


class NewJobSerializer(StrictSerializer):
    """What a submit asks for. What is left out is the deployment's default."""

    type = NameField(max_length=32, help_text="One of GET /job-types/.")
    payload = PayloadField()
    name = NameField(
        required=False,
        max_length=MAX_LENGTHS["name"],
        help_text="Runs of one name are predicted together. By default the task's name, else the type.",
    )
    queue = QueueNameField(required=False, help_text="Made with its first job. By default `default`.")
    title = TextField(required=False, allow_blank=True, max_length=MAX_LENGTHS["title"])
    description = TextField(required=False, allow_blank=True, max_length=MAX_LENGTHS["description"])
    urgency = serializers.ChoiceField(
        URGENCIES, required=False, help_text="By default medium, unless its title and description say otherwise."
    )
    category = TextField(
        required=False,
        max_length=CATEGORY_CHARACTERS,
        help_text="One of GET /classifier/; by default what its title and description are found to be about.",
    )
    tags = serializers.ListField(
        child=TagField(),
        required=False,
        max_length=MOST_TAGS,
        help_text="Words to find it by; each once.",
    )
    run_at = MomentField(required=False, help_text="Not before this time; in the past is now. At most a year away.")
    delay_seconds = serializers.FloatField(
        required=False, min_value=0, help_text="Not before so many seconds from now; instead of run_at."
    )
    timeout_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=settings.JOB_TIMEOUT_CAP_SECONDS, help_text="Of each attempt."
    )
    max_attempts = serializers.IntegerField(required=False, min_value=1, max_value=settings.MAX_ATTEMPTS_CAP)
    retry = RetrySerializer(required=False, help_text="When it is tried again; by default as its type is.")
    limit_key = TextField(
        required=False,
        allow_blank=True,
        max_length=MAX_LENGTHS["limit_key"],
        help_text="Jobs of one key share the limits that the organisation has set for it; see /limits/.",
    )
    after = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MAX_PARENTS,
        help_text="Jobs that must be done first. If one of them fails or is cancelled, this one is cancelled.",
    )
    after_end = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MAX_PARENTS,
        help_text="Jobs that must have ended first, however they end.",
    )

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        return dict(shared(cls).run_validation(request.data))


@cache
def shared(cls: type[NewJobSerializer]) -> NewJobSerializer:
    """One for all requests: a new one copies each of its fields, which takes as long as storing the job."""
    return cls()


def new_job(asked: dict[str, Any], key: str | None = None) -> NewJob:
    """From what NewJobSerializer or BulkJobSerializer read."""
    return NewJob(**{"idempotency_key": key, **asked})


class CancellationSerializer(StrictSerializer):
    reason = TextField(required=False, default="", allow_blank=True, max_length=200)


class CancelledSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    became = serializers.ChoiceField(["cancelled", "cancelling"])
    status_url = serializers.CharField()


class ReplaySerializer(StrictSerializer):
    payload = PayloadField(required=False)


class ExpectedSerializer(serializers.Serializer[Any]):
    """What was said when it was submitted: p50, and p10 to p90 by the errors of late."""

    starts_at = MomentField()
    starts_low_at = MomentField()
    starts_high_at = MomentField()
    ends_at = MomentField()
    ends_low_at = MomentField()
    ends_high_at = MomentField()


class ClassificationSerializer(serializers.Serializer[Any]):
    """What was read out of a job's title and description, or said by a person."""

    category = serializers.CharField(allow_blank=True, help_text="Empty: nothing spoke for any.")
    urgency = serializers.ChoiceField(URGENCIES)
    confidence = serializers.FloatField(help_text="Of the category, 0 to 1.")
    urgency_confidence = serializers.FloatField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        CLASSIFIED_BY, help_text="What decided; `…_cached` where the same text was answered before."
    )
    action = serializers.CharField(allow_blank=True, help_text="What to do about such a job.")
    words = serializers.ListField(child=serializers.CharField(), help_text="That decided, the most telling first.")
    probabilities = serializers.DictField(child=serializers.FloatField(), help_text="Of the categories.")
    pulls = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        help_text="How much words pulled towards the category; below 0, away from it. Not of older answers.",
    )
    given = serializers.ListField(
        child=serializers.ChoiceField(["category", "urgency"]),
        help_text="What the caller had said himself, which holds.",
    )


class CorrectionSerializer(StrictSerializer):
    """One of the two, or both."""

    category = TextField(required=False, max_length=CATEGORY_CHARACTERS, help_text="One of GET /classifier/.")
    urgency = serializers.ChoiceField(URGENCIES, required=False)


class JobSummarySerializer(serializers.Serializer[Job]):
    """A job in a list: without `payload`, `result` and `description`, and with the start of `error` only."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    queue = serializers.CharField()
    status = serializers.ChoiceField(STATUSES, source="state")
    urgency = serializers.ChoiceField(URGENCIES)
    category = serializers.CharField(allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField())
    classification = ClassificationSerializer(
        allow_null=True, help_text="Null without a title or description, and for the moment until they are read."
    )
    priority = serializers.FloatField(help_text="1 / (1 + predicted_ms / 3000)")
    predicted_ms = serializers.FloatField()
    predicted_low_ms = serializers.FloatField(allow_null=True, help_text=LOW)
    predicted_high_ms = serializers.FloatField(allow_null=True, help_text=HIGH)
    failure_probability = serializers.FloatField(allow_null=True, help_text=FAILURE)
    prediction_source = serializers.ChoiceField(SOURCES, help_text=SOURCE)
    model_version = serializers.IntegerField(allow_null=True)
    attempt = serializers.IntegerField(source="attempts_made", help_text="The number of the last or running attempt.")
    max_attempts = serializers.IntegerField(help_text="In one life.")
    life = serializers.IntegerField(help_text="1, and one more with each replay.")
    outcome = serializers.ChoiceField(OUTCOMES, allow_blank=True, help_text="Of the last attempt that ended.")
    error_type = serializers.CharField(allow_blank=True)
    error = serializers.CharField(source="error_start", allow_blank=True)
    progress = serializers.FloatField(source="lease_progress", allow_null=True, help_text="0 to 1, while it runs.")
    progress_message = serializers.SerializerMethodField()
    cancel_requested = serializers.BooleanField(help_text="It runs, and its worker is asked to stop.")
    worker = serializers.CharField(source="lease_worker", allow_null=True, help_text="While it runs.")
    run_at = MomentField(allow_null=True)
    waits_for = serializers.IntegerField(source="waiting_on", help_text="How many jobs must end before it is queued.")
    batch_id = serializers.UUIDField(allow_null=True)
    limit_key = serializers.CharField(allow_blank=True)
    timeout_seconds = serializers.IntegerField()
    retry = RetrySerializer(allow_null=True, help_text="Null: as its type is.")
    idempotency_key = serializers.CharField(allow_null=True)
    correlation_id = serializers.CharField()
    created_by = serializers.CharField(source="creator", allow_null=True, help_text="The username.")
    created_at = MomentField()
    queued_at = MomentField(allow_null=True)
    expected = ExpectedSerializer(allow_null=True, help_text="Null for what is due later, and where no worker serves.")
    started_at = MomentField(source="begun_at", allow_null=True, help_text="Of the last or running attempt.")
    finished_at = MomentField(allow_null=True)
    runtime_ms = serializers.FloatField(allow_null=True, help_text="Of the last attempt that ended.")
    status_url = serializers.SerializerMethodField()

    def get_progress_message(self, job: Job) -> str:
        return job.lease_message or ""

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_status_url(self, job: Job) -> str:
        return reverse("api-job", args=[job.pk])


class LinksSerializer(serializers.Serializer[Any]):
    """Where to go on from a job."""

    NAMES: ClassVar = ("attempts", "transitions", "logs", "artefacts", "cancellation", "replay", "classification")

    attempts = serializers.CharField()
    transitions = serializers.CharField()
    logs = serializers.CharField()
    artefacts = serializers.CharField()
    cancellation = serializers.CharField()
    replay = serializers.CharField()
    classification = serializers.CharField()


class DependencySerializer(serializers.Serializer[Any]):
    """A job that another waits for."""

    job_id = serializers.UUIDField(source="parent_id")
    condition = serializers.ChoiceField(CONDITIONS)
    status_url = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_status_url(self, dependency: Dependency) -> str:
        return reverse("api-job", args=[dependency.parent_id])


class JobSerializer(JobSummarySerializer):
    """A job, whole."""

    MOST_DEPENDENCIES: ClassVar = 100

    description = serializers.CharField(allow_blank=True)
    payload = ShownPayloadField()
    result = serializers.JSONField(help_text="What its handler answered.")
    error = serializers.CharField(allow_blank=True)
    dependencies = serializers.SerializerMethodField(help_text="What it still waits for: the first hundred.")
    links = serializers.SerializerMethodField()

    @extend_schema_field(DependencySerializer(many=True))
    def get_dependencies(self, job: Job) -> Any:
        if not job.waiting_on:
            return []
        waits = Dependency.objects.filter(child_id=job.pk).order_by("parent_id")[: self.MOST_DEPENDENCIES]
        return DependencySerializer(waits, many=True).data

    @extend_schema_field(LinksSerializer)
    def get_links(self, job: Job) -> dict[str, str]:
        # each stands below the job: to resolve every one would take longer than all else that is shown
        here = self.get_status_url(job)
        return {name: f"{here}{name}/" for name in LinksSerializer.NAMES}


class TaskSerializer(serializers.Serializer[Job]):
    """A job in the words of older clients."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    status = serializers.SerializerMethodField()
    payload = ShownPayloadField()
    result = serializers.JSONField()
    error = serializers.CharField(allow_blank=True)
    created_at = MomentField()
    started_at = MomentField(source="begun_at", allow_null=True)
    completed_at = MomentField(source="finished_at", allow_null=True)

    @extend_schema_field(serializers.ChoiceField(COMPATIBLE_STATUSES))
    def get_status(self, job: Job) -> str:
        return next((word for word, meant in states.COMPATIBLE.items() if job.state in meant), "CANCELLED")


class TaskSummarySerializer(TaskSerializer):
    """In a list: without payload and result, and with the start of the error."""

    payload = None  # type: ignore[assignment]
    result = None  # type: ignore[assignment]
    error = serializers.CharField(source="error_start", allow_blank=True)


class NewTaskSerializer(StrictSerializer):
    type = NameField(max_length=32)
    payload = PayloadField()
