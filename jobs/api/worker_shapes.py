"""What own workers send and are answered, and what the OpenAPI document says of it."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from jobs.api.docs import body
from jobs.api.fields import MomentField, QueueNameField, TextField
from jobs.api.serializers import OUTCOMES, STATUSES
from jobs.handlers.artefact_names import FILE_NAME
from orgs.serializers import StrictSerializer

TAGS = ["worker"]
MOST_SLOTS, MOST_QUEUES, MOST_HELD, MOST_LINES = 20, 20, 100, 1_000
WAIT_SECONDS = 20
LEASE_SECONDS = LEAST_LEASE_SECONDS, MOST_LEASE_SECONDS = 2, 300
STREAMS = ["log", "stdout", "stderr"]
SENT_ERROR_MAX = 100_000
COMMAND_HEADER = "SmartQueue-Command"
COMMANDS = ["quiet", "stop"]


class WorkerNameField(serializers.RegexField):
    """What a worker calls itself: unique among those of its organisation."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
            trim_whitespace=False,
            error_messages={"invalid": "1 to 64 letters, digits, dots, dashes or underscores."},
            help_text="What the worker calls itself; no two that run at once may have the same name.",
            **kwargs,
        )


class LeaseSecondsField(serializers.FloatField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_value=LEAST_LEASE_SECONDS,
            max_value=MOST_LEASE_SECONDS,
            required=False,
            help_text="From now on, and never beyond the job's timeout. By default the deployment's lease.",
            **kwargs,
        )


class ClaimSerializer(StrictSerializer):
    """What a worker would take."""

    worker = WorkerNameField()
    queues = serializers.ListField(
        child=QueueNameField(), min_length=1, max_length=MOST_QUEUES, help_text="The first is asked first."
    )
    slots = serializers.IntegerField(min_value=1, max_value=MOST_SLOTS, default=1, help_text="So many jobs at most.")
    wait_seconds = serializers.FloatField(
        min_value=0, max_value=WAIT_SECONDS, default=0, help_text="How long to wait for the first."
    )
    lease_seconds = LeaseSecondsField()
    holding = serializers.ListField(
        child=TextField(max_length=128),
        required=False,
        max_length=MOST_HELD,
        help_text="All leases you know to hold. What else was leased under your name, in an answer that you did not "
        "get, is given back at once.",
    )


class ClaimedSerializer(serializers.Serializer[Any]):
    """A job in a worker's hands."""

    lease = serializers.CharField(help_text="Names the lease in the calls about it.")
    job_id = serializers.UUIDField()
    attempt = serializers.IntegerField(help_text="Grows with each try of the job.")
    queue = serializers.CharField()
    name = serializers.CharField()
    payload = serializers.DictField()
    timeout_seconds = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    correlation_id = serializers.CharField()
    lease_expires_at = MomentField()
    deadline_at = MomentField(help_text="When its time is up: no renewal reaches further.")


class ClaimsSerializer(serializers.Serializer[Any]):
    jobs = ClaimedSerializer(many=True)


class RenewalSerializer(StrictSerializer):
    lease_seconds = LeaseSecondsField()


class RenewedSerializer(serializers.Serializer[Any]):
    lease_expires_at = MomentField()
    deadline_at = MomentField()
    cancel_requested = serializers.BooleanField(help_text="A person asked to stop it: stop, and release the lease.")
    command = serializers.ChoiceField(
        COMMANDS, allow_null=True, help_text="What an admin asks of the worker, as in the header of a claim."
    )


class FinishSerializer(StrictSerializer):
    result = serializers.JSONField(default=None, allow_null=True, help_text="Any JSON; shown on the job.")


class FailureSerializer(StrictSerializer):
    error_type = TextField(max_length=128, default="Error", help_text="A word to group by.")
    error = TextField(max_length=SENT_ERROR_MAX, help_text="What happened, for people.")
    permanent = serializers.BooleanField(default=False, help_text="No further try is made.")
    retry_after_seconds = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=settings.MAX_DELAY_DAYS * 86_400.0,
        help_text="Until the next try; by default the backoff.",
    )


class ReleaseSerializer(StrictSerializer):
    """Nothing need be said."""


class EndedSerializer(serializers.Serializer[Any]):
    """What became of it."""

    job_id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    outcome = serializers.ChoiceField(OUTCOMES, help_text="Of the attempt.")
    status = serializers.ChoiceField(STATUSES, help_text="Of the job now.")
    repeated = serializers.BooleanField(help_text="It was ended so by an earlier call of this lease.")


class LineSerializer(StrictSerializer):
    text = TextField(allow_blank=True)
    stream = serializers.ChoiceField(STREAMS, default="log")


class NoteSerializer(StrictSerializer):
    lines = serializers.ListField(child=LineSerializer(), default=list, max_length=MOST_LINES)
    first = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The number of the first line, from 1 on: a line that is kept already is not kept twice.",
    )
    progress = serializers.FloatField(required=False, min_value=0, max_value=1)
    message = TextField(default="", allow_blank=True, max_length=200, help_text="What it is doing; with progress.")


class NotedSerializer(serializers.Serializer[Any]):
    last = serializers.IntegerField(help_text="The number of the last line that is kept.")


class FileQuery(StrictSerializer):
    name = serializers.RegexField(FILE_NAME.pattern, max_length=120, trim_whitespace=False)


class KeptSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size_bytes = serializers.IntegerField()


class DepartureSerializer(StrictSerializer):
    worker = WorkerNameField()
    draining = serializers.BooleanField(default=False, help_text="It still works on what it has.")


# --- The document ---------------------------------------------------------------------------------------------------

LOST = OpenApiResponse(description="The lease is lost, or the attempt has ended otherwise. Nothing was written.")
RETRY_AFTER = OpenApiParameter(
    "Retry-After", str, OpenApiParameter.HEADER, response=[204], description="Seconds, when this call could not wait."
)
COMMAND = OpenApiParameter(
    COMMAND_HEADER,
    str,
    OpenApiParameter.HEADER,
    enum=COMMANDS,
    response=[204],
    description="An admin asks the worker to take no more (`quiet`: go on asking, it may end) or to end (`stop`: "
    "finish what runs, and depart). It is given no job until then.",
)
claims = extend_schema(
    tags=TAGS,
    operation_id="claim_external_jobs",
    summary="Take jobs",
    description="Jobs of the type `external`, of your organisation. Each is leased to you alone: renew the lease until "
    "you say how it ended. With `wait_seconds` the answer comes as soon as there is a job; when too many wait already, "
    "at once, with Retry-After.",
    parameters=[RETRY_AFTER, COMMAND],
    request=ClaimSerializer,
    responses={
        200: ClaimsSerializer,
        204: OpenApiResponse(description="There was nothing in this time."),
        404: OpenApiResponse(description="What you hold is no lease of ours."),
    },
    examples=[
        body("Up to two jobs, now or in ten seconds",
             {"worker": "gpu-1", "queues": ["default"], "slots": 2, "wait_seconds": 10}),
        OpenApiExample(
            "One job",
            {"jobs": [{
                "lease": "AY9KXH0efMOYxNwMDAc5j…",
                "job_id": "018f4a5c-7d1e-7cc3-98c4-dc0c0c07398f",
                "attempt": 1,
                "queue": "default",
                "name": "resize",
                "payload": {"task": "resize", "input": {"image": "cat.png", "width": 320}},
                "timeout_seconds": 300,
                "max_attempts": 4,
                "correlation_id": "4f7c1f0a9be34b0cb2d0a5a54d2c9a51",
                "lease_expires_at": "2026-01-31T12:00:30.000000Z",
                "deadline_at": "2026-01-31T12:05:00.000000Z",
            }]},
            response_only=True,
            status_codes=[200],
        ),
    ],
)  # fmt: skip
departure = extend_schema(
    tags=TAGS,
    operation_id="depart",
    summary="Say that you stop",
    description="The worker is shown as offline, or as draining, and a claim of it that waits gets nothing. Leases "
    "that it still holds stay.",
    request=DepartureSerializer,
    responses={204: None},
)
renewal = extend_schema(
    tags=TAGS,
    operation_id="renew_lease",
    summary="Renew a lease",
    description="A lease that is not renewed in time is lost, and the job goes to another. Nor can one be renewed when "
    "the job's time is up: the attempt then ends as `timeout`.",
    request=RenewalSerializer,
    responses={200: RenewedSerializer, 409: LOST},
)
finish = extend_schema(
    tags=TAGS,
    operation_id="finish_lease",
    summary="It is done",
    description="Said once more by the same lease, it is answered alike and changes nothing.",
    request=FinishSerializer,
    responses={200: EndedSerializer, 409: LOST},
)
failure = extend_schema(
    tags=TAGS,
    operation_id="fail_lease",
    summary="It did not work",
    description="The job is tried again, unless this was the last try or the failure is permanent.",
    request=FailureSerializer,
    responses={200: EndedSerializer, 409: LOST},
)
release = extend_schema(
    tags=TAGS,
    operation_id="release_lease",
    summary="Give it back",
    description="The job is queued again and no try is burnt; one that a person asked to stop is cancelled.",
    request=ReleaseSerializer,
    responses={200: EndedSerializer, 409: LOST},
)
notes = extend_schema(
    tags=TAGS,
    operation_id="log_lease",
    summary="Log lines and progress",
    description=f"Up to {MOST_LINES} lines a call. They are seen on the job at once.",
    request=NoteSerializer,
    responses={200: NotedSerializer, 409: LOST},
)
artefacts = extend_schema(
    tags=TAGS,
    operation_id="upload_artefact",
    summary="Keep a file",
    description="The body is the file, as it is. Sent once more it is answered with 200.",
    parameters=[FileQuery],
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={201: KeptSerializer, 200: KeptSerializer, 409: OpenApiResponse(
        description="The lease is lost, or the attempt has another file of this name."
    )},
)  # fmt: skip
