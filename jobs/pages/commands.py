"""The same as a command to type: curl, Python with the client, and sq."""

import json
import pprint
import shlex
from typing import Any

from django.http import HttpRequest

from jobs.hiding import hide
from jobs.models import Job
from jobs.queue.enqueue import NewJob
from orgs.models import Org

OPTIONAL = ("urgency", "title", "description", "category", "tags", "delay_seconds", "timeout_seconds", "max_attempts")
CODE_WIDTH = 100
# Fields whose option has another name.
SQ = {"delay_seconds": "delay", "timeout_seconds": "timeout"}


def asked_for(job: Job | NewJob) -> dict[str, Any]:
    """The body of a call that submits this job, or one like it; masks in it stand for what is not shown."""
    asked: dict[str, Any] = {"type": job.type, "payload": hide(job.payload), "queue": job.queue}
    if job.name:
        asked["name"] = job.name
    asked |= {name: value for name in OPTIONAL if (value := getattr(job, name, None))}
    if isinstance(job, NewJob) and job.run_at:
        asked["run_at"] = job.run_at.isoformat().replace("+00:00", "Z")
    return asked


def submit_command(request: HttpRequest, org: Org, job: Job | NewJob) -> str:
    """curl."""
    lines = [
        f"curl -X POST {shlex.quote(request.build_absolute_uri('/api/v1/jobs/'))}",
        '-H "Authorization: Bearer $TOKEN"',
        f"-H {shlex.quote(f'X-Org: {org.slug}')}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(asked_for(job), ensure_ascii=False))}",
    ]
    return " \\\n  ".join(lines)


def python_command(request: HttpRequest, org: Org, job: Job | NewJob) -> str:
    """Python, with the client of clients/python."""
    asked = asked_for(job)
    given = [repr(asked.pop("type")), written(asked.pop("payload"))]
    given += [f"{name}={written(value)}" for name, value in asked.items()]
    arguments = "".join(f"    {line},\n" for line in given)
    url = request.build_absolute_uri("/").rstrip("/")
    return (
        "import os\n\nfrom smartqueue_client import Client\n\n"
        f'client = Client({url!r}, key=os.environ["SMARTQUEUE_KEY"], org={org.slug!r})\n'
        f"job = client.submit(\n{arguments})\n"
    )


def written(value: Any) -> str:
    """As Python has it, a long one over several lines."""
    return pprint.pformat(value, width=CODE_WIDTH, sort_dicts=False).replace("\n", "\n    ")


def sq_command(org: Org, job: Job | NewJob) -> str:
    """sq, at a shell."""
    asked = asked_for(job)
    payload = json.dumps(asked.pop("payload"), ensure_ascii=False)
    parts = ["sq submit", shlex.quote(asked.pop("type")), shlex.quote(payload)]
    for name, value in asked.items():
        parts.append(f"--{SQ.get(name, name).replace('_', '-')} {shlex.quote(str(value))}")
    return " ".join([*parts, "--org", shlex.quote(org.slug)])


def snippets(request: HttpRequest, org: Org, job: Job | NewJob) -> list[tuple[str, str, str]]:
    """Word, label and text of each."""
    return [
        ("curl", "curl", submit_command(request, org, job)),
        ("python", "Python", python_command(request, org, job)),
        ("sq", "sq", sq_command(org, job)),
    ]
