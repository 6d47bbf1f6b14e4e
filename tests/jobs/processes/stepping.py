"""Driving a worker by hand."""

from collections.abc import Callable
from typing import Any

from jobs.models import Job
from jobs.processes.worker import Worker
from orgs.models import Org
from tests.eventually import eventually
from tests.factories import make_job

MakeWorker = Callable[..., Worker]


def task(org: Org, name: str, queue: str = "default", **fields: Any) -> Job:
    """A waiting job of tests.tasks; what is no field of a job is an argument of the task."""
    known = {"max_attempts", "timeout_seconds", "urgency", "name"}
    options = {key: fields.pop(key) for key in known & fields.keys()}
    return make_job(org, queue=queue, payload={"task": f"tests.{name}", "kwargs": fields}, **options)


def step_until(worker: Worker, check: Callable[[], Any]) -> None:
    eventually(lambda: (worker.step(), check())[1], every_seconds=0.005)


def idle(worker: Worker) -> Callable[[], bool]:
    return lambda: not worker.attempts
