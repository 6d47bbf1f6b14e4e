"""What the OpenAPI document says of each view of jobs. The errors that every operation shares are added elsewhere."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from jobs.api import filters, shapes
from jobs.api import serializers as jobs
from jobs.api.paging import page_of
from jobs.api.waits import EndQuery, WaitQuery

View = TypeVar("View", bound=Callable[..., Any])

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 characters of your choice. For 24 hours the same key and body bring the same job.",
)
LOCATION = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[200, 201])
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed", str, OpenApiParameter.HEADER, response=[200], description="`true`: stored by a call before."
)
ETAG = OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200])
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag you have; 304 when it is still the present one.",
)
PREFER = OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="`wait=10`: as `?wait=10` (RFC 7240).")
APPLIED = OpenApiParameter("Preference-Applied", str, OpenApiParameter.HEADER, response=[200, 201])
IF_UNCHANGED = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the job as you have read it: 412 when it has moved on since, and nothing is done.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag of what you have read, or `*`."
)
IF_AS_READ = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of what you have read: 412 when it has changed since.",
)
UNSAID = OpenApiResponse(description="Without If-Match.")
CHANGED = OpenApiResponse(description="It was changed since you read it.")
CLOSED = OpenApiResponse(description="Its queue is closed to new jobs (`queue_closed`).")
KEY_REUSED = OpenApiResponse(description="The Idempotency-Key was used with another body.")
MOVED_ON = OpenApiResponse(description="The job's status does not allow this.")

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
FETCH = {
    "type": "http",
    "name": "nightly-report",
    "payload": {"method": "GET", "url": "https://example.com/report"},
    "queue": "reports",
    "urgency": "low",
    "delay_seconds": 60,
    "timeout_seconds": 30,
    "max_attempts": 5,
}
ECHO = {"type": "shell", "title": "Say hello", "payload": {"argv": ["/bin/echo", "hello"]}}
JOB = "018f4a5c-7d1e-7cc3-98c4-dc0c0c07398f"
ADDED = {"id": JOB, "status_url": f"/api/v1/jobs/{JOB}/"}


def body(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def listing(
    operation_id: str, summary: str, items: type[serializers.Serializer[Any]], query: Any, description: str = ""
) -> Callable[[View], View]:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or None,
        parameters=[query],
        responses={200: page_of(items)},
    )


submit = extend_schema(
    operation_id="submit_job",
    summary="Submit a job",
    description="It is stored when this answers, and runs at least once unless it is cancelled first. With `wait` it "
    "is answered when the job has ended. So many calls as a deployment allows wait at a time; one more is answered "
    "at once, with `Retry-After`.",
    parameters=[EndQuery, PREFER, KEY, LOCATION, REPLAYED, APPLIED],
    request=jobs.NewJobSerializer,
    responses={
        201: OpenApiResponse(jobs.JobSerializer, description="Stored."),
        200: OpenApiResponse(jobs.JobSerializer, description="A repeat: the job that the key brought before."),
        409: CLOSED,
        422: KEY_REUSED,
    },
    examples=[
        body("A Python task", ADD),
        body("An HTTP request, in a minute", FETCH),
        body("A program", ECHO),
    ],
)
submit_many = extend_schema(
    operation_id="submit_jobs",
    summary="Submit many jobs",
    description="Each has its own outcome, in the order sent. What is valid is stored, whatever else is not.",
    request=shapes.BulkSerializer,
    responses={
        200: OpenApiResponse(shapes.BulkOutcomeSerializer, description="All are stored."),
        207: OpenApiResponse(shapes.BulkOutcomeSerializer, description="Some were refused; see items."),
    },
    examples=[
        body("Two jobs", {"jobs": [ADD, {**ADD, "idempotency_key": "invoice-17"}]}),
        OpenApiExample(
            "One stored, one refused",
            {
                "created": 1,
                "existing": 0,
                "refused": 1,
                "items": [
                    {"index": 0, "status": "created", **ADDED},
                    {
                        "index": 1,
                        "status": "refused",
                        "code": "unknown_job_type",
                        "detail": "There is no job type 'pyhton'; there are: http, python, shell.",
                        "errors": [
                            {
                                "pointer": "/jobs/1/type",
                                "code": "unknown_job_type",
                                "detail": "There is no job type 'pyhton'; there are: http, python, shell.",
                            }
                        ],
                    },
                ],
            },
            response_only=True,
            status_codes=["207"],
        ),
    ],
)
list_jobs = listing(
    "list_jobs",
    "Jobs",
    jobs.JobSummarySerializer,
    filters.JobQuery,
    "Items leave out `payload`, `result` and `description`, and hold the start of `error`: ask for the job itself.",
)
get_job = extend_schema(
    operation_id="get_job",
    summary="One job",
    description="With `wait` it is answered when the job has ended or changed. So many calls as a deployment allows "
    "wait at a time; one more is answered at once, with `Retry-After`.",
    parameters=[WaitQuery, PREFER, IF_NONE_MATCH, ETAG, APPLIED],
    responses={
        200: jobs.JobSerializer,
        304: OpenApiResponse(description="It is as it was when you got this ETag."),
    },
)
cancel = extend_schema(
    operation_id="cancel_job",
    summary="Cancel a job",
    description="One that waits never runs. The worker of a running one is asked to stop it.",
    parameters=[IF_UNCHANGED],
    request=jobs.CancellationSerializer,
    responses={
        200: OpenApiResponse(jobs.CancelledSerializer, description="It was waiting, and is cancelled."),
        202: OpenApiResponse(jobs.CancelledSerializer, description="It is running, and asked to stop."),
        409: MOVED_ON,
        412: CHANGED,
    },
    examples=[body("With a reason", {"reason": "Sent twice"})],
)
replay = extend_schema(
    operation_id="replay_job",
    summary="Send a dead letter back",
    description="It keeps its id and correlation id, has as many attempts as before, and may have another payload.",
    parameters=[IF_UNCHANGED],
    request=jobs.ReplaySerializer,
    responses={200: jobs.JobSerializer, 409: MOVED_ON, 412: CHANGED},
    examples=[body("As it was", {}), body("With another payload", {"payload": ADD["payload"]})],
)
correct = extend_schema(
    operation_id="correct_job",
    summary="Say what a job is about",
    description="Category, urgency, or both. A job that waits moves in the order; one that runs or has ended keeps its "
    "urgency. The organisation's classifier learns from it, and the same text has this answer from now on.",
    request=jobs.CorrectionSerializer,
    responses={200: jobs.JobSerializer},
    examples=[body("Both", {"category": "Database", "urgency": "high"}), body("Less urgent", {"urgency": "low"})],
)
list_attempts = listing(
    "list_attempts",
    "Attempts of a job",
    shapes.AttemptSerializer,
    filters.PageQuery,
    "In order; the running one is the last.",
)
list_transitions = listing(
    "list_transitions", "Every change of a job's status", shapes.TransitionSerializer, filters.PageQuery
)
list_logs = listing(
    "list_logs",
    "Log lines of a job",
    shapes.LogLineSerializer,
    filters.LogQuery,
    "To follow a log, ask again with `attempt` and, as `after`, the last `sequence` you have.",
)
list_artefacts = listing("list_artefacts", "Files of a job", shapes.ArtefactSerializer, filters.PageQuery)
get_artefact = extend_schema(
    operation_id="get_artefact",
    summary="Download a file",
    responses={(200, "*/*"): OpenApiTypes.BINARY},
)
list_dead_letters = listing(
    "list_dead_letters",
    "Dead letters, the latest first",
    shapes.DeadLetterSerializer,
    filters.DeadLetterQuery,
    "Jobs that failed for good or are out of attempts.",
)
replay_many = extend_schema(
    operation_id="replay_jobs",
    summary="Send dead letters back",
    description="Those of `ids`, or all that match `filter`. What is no dead letter of yours is passed over, "
    "and so is that for which the quotas leave no room: it stays a dead letter.",
    request=shapes.ReplayManySerializer,
    responses={200: shapes.ReplayedSerializer},
    examples=[
        body("These", {"ids": [JOB]}),
        body("All timeouts of a queue", {"filter": {"queue": "reports", "error_type": "Timeout"}}),
        body("All", {"filter": {}}),
    ],
)
list_job_types = extend_schema(
    operation_id="list_job_types", summary="What can be submitted", responses={200: shapes.JobTypesSerializer}
)
list_queues = listing(
    "list_queues", "Queues", shapes.QueueSerializer, filters.PageQuery, "By name, with their jobs by status, exact."
)
get_queue = extend_schema(
    operation_id="get_queue",
    summary="One queue",
    description="Its `ETag` is of what people set (pause, closing, order, target), not of its counts.",
    parameters=[ETAG],
    responses={200: shapes.QueueSerializer},
)
change_queue = extend_schema(
    operation_id="change_queue",
    summary="Change the order or the target of a queue",
    description="The order of what is submitted from now on; what waits keeps its place.",
    parameters=[IF_MATCH, ETAG],
    request=shapes.QueueChangeSerializer,
    responses={200: shapes.QueueSerializer, 412: CHANGED, 428: UNSAID},
    examples=[
        body("First come, first served", {"policy": "fifo"}),
        body("As the deployment has it", {"policy": None}),
        body("No job should wait for longer than a minute", {"target_seconds": 60}),
    ],
)
pause = extend_schema(
    operation_id="pause_queue",
    summary="Pause a queue",
    description="No job of it starts from now on; running ones go on, new ones wait.",
    parameters=[IF_AS_READ, ETAG],
    request=shapes.PauseSerializer,
    responses={200: shapes.QueueSerializer, 412: CHANGED},
    examples=[
        body("With a reason", {"reason": "The mail server is down"}),
        body("For an hour", {"reason": "Upgrade", "resume_in_seconds": 3600}),
    ],
)
close_queue = extend_schema(
    operation_id="close_queue",
    summary="Close a queue to new jobs",
    description="Submits into it are refused (409, `queue_closed`), and times of schedules; what is in it runs, until "
    "it is empty.",
    parameters=[IF_AS_READ, ETAG],
    request=shapes.WhySerializer,
    responses={200: shapes.QueueSerializer, 412: CHANGED},
    examples=[body("With a reason", {"reason": "Moving to another queue"})],
)
reopen_queue = extend_schema(
    operation_id="reopen_queue",
    summary="Open a closed queue again",
    parameters=[IF_AS_READ, ETAG],
    request=None,
    responses={200: shapes.QueueSerializer, 412: CHANGED},
)
resume = extend_schema(
    operation_id="resume_queue",
    summary="Resume a queue",
    parameters=[IF_AS_READ, ETAG],
    request=None,
    responses={200: shapes.QueueSerializer, 412: CHANGED},
)
predict = extend_schema(
    operation_id="predict_job",
    summary="What would this job take?",
    description="The body of a submit. It is checked alike, and nothing is stored.",
    request=jobs.NewJobSerializer,
    responses={200: shapes.ForecastSerializer},
    examples=[body("A Python task", ADD)],
)
submit_task = extend_schema(
    operation_id="submit_task",
    summary="Submit a job, in the older words",
    parameters=[KEY, LOCATION, REPLAYED],
    request=jobs.NewTaskSerializer,
    responses={201: jobs.TaskSerializer, 200: jobs.TaskSerializer, 409: CLOSED, 422: KEY_REUSED},
    examples=[body("A Python task", ADD)],
)
list_tasks = listing("list_tasks", "Jobs, in the older words", jobs.TaskSummarySerializer, filters.TaskQuery)
get_task = extend_schema(
    operation_id="get_task", summary="One job, in the older words", responses={200: jobs.TaskSerializer}
)
list_platform_jobs = listing(
    "list_platform_jobs",
    "Jobs of every organisation",
    shapes.PlatformJobSerializer,
    filters.PlatformJobQuery,
    "For platform admins.",
)
