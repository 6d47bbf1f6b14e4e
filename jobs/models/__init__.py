"""The tables of the queue: one idea each (see docs/decisions for the hot and cold split)."""

from jobs.models.alert import COUNTED, Alert, AlertKind, AlertRule
from jobs.models.artefact import Artefact
from jobs.models.attempt import Attempt, LogLine
from jobs.models.batch import Batch
from jobs.models.bulk import BulkHold, BulkOperation, BulkOutcome, BulkState
from jobs.models.classification import (
    ClassifiedText,
    ClassifierCount,
    ClassifierVersion,
    Label,
    ToClassify,
)
from jobs.models.dependency import Dependency, Ending
from jobs.models.event import SeenEvent
from jobs.models.job import Job, JobQuerySet
from jobs.models.learning import Accuracy, Learning
from jobs.models.lease import Lease
from jobs.models.limit import EVERY, Limit, LimitBucket, LimitScope, LimitSweep
from jobs.models.pause import Pause
from jobs.models.process import LeaderTerm, Release, WorkerProcess, serving
from jobs.models.queue import Queue
from jobs.models.ready import Ready
from jobs.models.rollup import Rollup, RollupMark, Total
from jobs.models.schedule import Missed, Schedule, ScheduleTick
from jobs.models.search import (
    ErrorCount,
    ErrorGroup,
    Follower,
    ListSettings,
    SavedView,
    SearchEntry,
    SearchFacet,
)
from jobs.models.share import Backlog, QueueShare
from jobs.models.stream import StreamPosition
from jobs.models.subscriber import ENDS, TEST_EVENT, Delivery, EventType, Subscriber
from jobs.models.transition import (
    DepthSample,
    PayloadCount,
    PayloadDelta,
    StatusCount,
    StatusDelta,
    Transition,
)
from jobs.models.weights import ModelVersion, RunDelta, RuntimeMemory

__all__ = [
    "COUNTED",
    "ENDS",
    "EVERY",
    "TEST_EVENT",
    "Accuracy",
    "Alert",
    "AlertKind",
    "AlertRule",
    "Artefact",
    "Attempt",
    "Backlog",
    "Batch",
    "BulkHold",
    "BulkOperation",
    "BulkOutcome",
    "BulkState",
    "ClassifiedText",
    "ClassifierCount",
    "ClassifierVersion",
    "Delivery",
    "Dependency",
    "DepthSample",
    "Ending",
    "ErrorCount",
    "ErrorGroup",
    "EventType",
    "Follower",
    "Job",
    "JobQuerySet",
    "Label",
    "LeaderTerm",
    "Learning",
    "Lease",
    "Limit",
    "LimitBucket",
    "LimitScope",
    "LimitSweep",
    "ListSettings",
    "LogLine",
    "Missed",
    "ModelVersion",
    "Pause",
    "PayloadCount",
    "PayloadDelta",
    "Queue",
    "QueueShare",
    "Ready",
    "Release",
    "Rollup",
    "RollupMark",
    "RunDelta",
    "RuntimeMemory",
    "SavedView",
    "Schedule",
    "ScheduleTick",
    "SearchEntry",
    "SearchFacet",
    "SeenEvent",
    "StatusCount",
    "StatusDelta",
    "StreamPosition",
    "Subscriber",
    "ToClassify",
    "Total",
    "Transition",
    "WorkerProcess",
    "serving",
]
