"""What the OpenAPI document says of batches."""

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from jobs.api import batch_shapes as shapes
from jobs.api.docs import ADD, KEY_REUSED, LOCATION, REPLAYED, body, listing
from jobs.api.filters import PageQuery
from jobs.api.serializers import CancellationSerializer

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 characters of your choice. For 24 hours the same key and body bring the same batch.",
)
PIPELINE = {
    "name": "nightly",
    "jobs": [{**ADD, "ref": "extract"}, {**ADD, "ref": "load", "after": ["extract"]}, {**ADD, "after_end": ["load"]}],
    "callback": {"when": "end", "job": {**ADD, "name": "report"}},
}

submit = extend_schema(
    operation_id="submit_batch",
    summary="Submit jobs that belong together",
    description="All are stored, or none. A job may wait for those before it, by their `ref`; the callback is enqueued "
    "once, when all are done or all have ended.",
    parameters=[KEY, LOCATION, REPLAYED],
    request=shapes.NewBatchSerializer,
    responses={
        201: OpenApiResponse(shapes.NewBatchAnswerSerializer, description="Stored."),
        200: OpenApiResponse(
            shapes.NewBatchAnswerSerializer, description="A repeat: the batch that the key brought before."
        ),
        422: KEY_REUSED,
    },
    examples=[
        body("Two jobs", {"jobs": [ADD, ADD]}),
        body("A pipeline with a callback", PIPELINE),
    ],
)
list_batches = listing("list_batches", "Batches, the latest first", shapes.BatchSerializer, PageQuery)
get_batch = extend_schema(
    operation_id="get_batch", summary="One batch, with its counts", responses={200: shapes.BatchSerializer}
)
cancel = extend_schema(
    operation_id="cancel_batch",
    summary="Cancel what has not ended of a batch",
    description="Jobs that wait never run; the workers of running ones are asked to stop them.",
    request=CancellationSerializer,
    responses={200: shapes.BatchCancelledSerializer},
    examples=[body("With a reason", {"reason": "The file was wrong"})],
)
