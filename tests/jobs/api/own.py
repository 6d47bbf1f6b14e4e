"""An organisation's own worker in tests: its key, its calls, and jobs for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.http import HttpResponse

from jobs.models import Job, Lease
from jobs.queue.lease import rescue
from orgs.models import Org
from tests.factories import make_job, with_key

WORKER = "/api/v1/worker/"
RESIZE = {"task": "resize", "input": [1, 2]}


def make_external(org: Org, **fields: Any) -> Job:
    return make_job(org, **{"type": "external", "payload": RESIZE, **fields})


class Own:
    """A worker by its calls."""

    def __init__(self, token: str, name: str = "w-1") -> None:
        self.client, self.name = with_key(token), name

    def claim(self, *queues: str, **fields: Any) -> HttpResponse:
        asked = {"worker": self.name, "queues": list(queues) or ["default"], **fields}
        response: HttpResponse = self.client.post(f"{WORKER}claims/", asked)
        return response

    def take(self, *queues: str, **fields: Any) -> list[dict[str, Any]]:
        """The jobs of a claim; none when there was nothing."""
        response = self.claim(*queues, **fields)
        assert response.status_code in (200, 204), response.content
        return list(response.json()["jobs"]) if response.status_code == 200 else []

    def one(self, **fields: Any) -> dict[str, Any]:
        (job,) = self.take(**fields)
        return job

    def say(self, job: dict[str, Any], word: str, body: Any = None) -> HttpResponse:
        response: HttpResponse = self.client.post(path(job["lease"], word), {} if body is None else body)
        return response

    def upload(
        self, job: dict[str, Any], name: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> HttpResponse:
        address = f"{path(job['lease'], 'artefacts')}?name={name}"
        return self.client.generic("POST", address, data, content_type=content_type)  # type: ignore[no-any-return]


def path(lease: str, word: str) -> str:
    return f"{WORKER}leases/{lease}/{word}/"


def state(job_id: str | UUID) -> str:
    return str(Job.objects.with_state().get(pk=job_id).state)


def run_out(job: dict[str, Any]) -> None:
    """Its lease ends now, and the watchdog comes by."""
    Lease.objects.filter(job_id=job["job_id"]).update(expires_at=Now() - timedelta(seconds=1))
    assert rescue() == 1
