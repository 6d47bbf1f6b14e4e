"""The same as a command to type."""

import json
import shlex
from typing import Any

from django.http import HttpRequest

from jobs.hiding import hide
from jobs.models import Job
from jobs.queue.enqueue import NewJob
from orgs.models import Org

OPTIONAL = ("urgency", "title", "description", "category", "delay_seconds", "timeout_seconds", "max_attempts")


def submit_command(request: HttpRequest, org: Org, job: Job | NewJob) -> str:
    """curl that submits this job, or one like it; masks in it stand for what is not shown."""
    asked: dict[str, Any] = {"type": job.type, "payload": hide(job.payload), "queue": job.queue}
    if job.name:
        asked["name"] = job.name
    asked |= {name: value for name in OPTIONAL if (value := getattr(job, name, None))}
    if isinstance(job, NewJob) and job.run_at:
        asked["run_at"] = job.run_at.isoformat().replace("+00:00", "Z")
    lines = [
        f"curl -X POST {shlex.quote(request.build_absolute_uri('/api/v1/jobs/'))}",
        '-H "Authorization: Bearer $TOKEN"',
        f"-H {shlex.quote(f'X-Org: {org.slug}')}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(asked, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(lines)
