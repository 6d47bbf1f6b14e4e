"""The tables of the queue: one idea each (see docs/decisions for the hot and cold split)."""

from jobs.models.artefact import Artefact
from jobs.models.attempt import Attempt, LogLine
from jobs.models.batch import Batch
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
from jobs.models.process import LeaderTerm, WorkerProcess, serving
from jobs.models.queue import Queue
from jobs.models.ready import Ready
from jobs.models.schedule import Missed, Schedule, ScheduleTick
from jobs.models.share import Backlog, QueueShare
from jobs.models.subscriber import TEST_EVENT, Delivery, EventType, Subscriber
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
    "EVERY",
    "TEST_EVENT",
    "Accuracy",
    "Artefact",
    "Attempt",
    "Backlog",
    "Batch",
    "ClassifiedText",
    "ClassifierCount",
    "ClassifierVersion",
    "Delivery",
    "Dependency",
    "DepthSample",
    "Ending",
    "EventType",
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
    "LogLine",
    "Missed",
    "ModelVersion",
    "PayloadCount",
    "PayloadDelta",
    "Queue",
    "QueueShare",
    "Ready",
    "RunDelta",
    "RuntimeMemory",
    "Schedule",
    "ScheduleTick",
    "SeenEvent",
    "StatusCount",
    "StatusDelta",
    "Subscriber",
    "ToClassify",
    "Transition",
    "WorkerProcess",
    "serving",
]
