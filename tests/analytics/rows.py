"""Rows of the pool with defaults."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from jobs.models import LeaderTerm, WorkerProcess
from tests.factories import WORKER


def make_process(**fields: Any) -> WorkerProcess:
    now = timezone.now()
    defaults = {
        "id": WORKER,
        "kind": "worker",
        "hostname": "host",
        "pid": 7,
        "version": "1",
        "slots": 5,
        "queues": ["*"],
        "types": ["python"],
        "started_at": now,
        "beat_at": now,
        "cpu_percent": 12.6,
        "memory_bytes": 50_000_000,
        "jobs_processed": 3,
    }
    return WorkerProcess.objects.create(**{**defaults, **fields})


def make_term(beat_seconds_ago: float, **fields: Any) -> LeaderTerm:
    beat = timezone.now() - timedelta(seconds=beat_seconds_ago)
    fields = {"process_id": WORKER, "hostname": "host", "pid": 9, "elected_at": beat, "beat_at": beat, **fields}
    return LeaderTerm.objects.create(**fields)
