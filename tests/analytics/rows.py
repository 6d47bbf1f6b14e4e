"""Rows of the pool with defaults."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from jobs.models import Accuracy, LeaderTerm, RollupMark, WorkerProcess
from jobs.queue import rollups
from orgs.models import Org
from tests.eventually import eventually
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


def make_accuracy(org: Org, hour: datetime, **sums: Any) -> Accuracy:
    """An hour in which every run took what was predicted, but for what is given."""
    names = ("log2_error", "log2_bias", "relative_error", "within_2x", "ranged", "in_range", "risked", "risk", "failed")
    known = {**dict.fromkeys(names, 0), "model_version": 0, "runs": 1, **sums}
    return Accuracy.objects.create(org_id=org.pk, hour=hour, **known)


def roll_up(batch: int = rollups.BATCH) -> None:
    """As the leader does, until there is nothing left to be added."""
    one = rollups.RollUp()
    # it begins when nobody writes who came before it: the last of another test may not have gone yet
    eventually(lambda: not one(batch=batch) and RollupMark.objects.exists())


def numbers_of(response: HttpResponse, name: str) -> dict[str, Any]:
    """What a chart of a page is drawn from."""
    text = response.content.decode()
    _, _, after = text.partition(f'<script id="{name}-data" type="application/json">')
    found: dict[str, Any] = json.loads(after.partition("</script>")[0])
    return found
