"""Organisations with something to export, and exports run in this thread."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jobs.models import Artefact, DepthSample, Job, Schedule
from jobs.processes.executor import Attempt
from jobs.processes.reporting import AttemptReporter, flush
from jobs.queue.finish import Ended
from jobs.states import Outcome
from orgs.audit import record
from orgs.models import Org, User
from tests.factories import claim_all, finish_one, make_dead_letter, make_job
from tests.jobs.handlers.fakes import make_attempt

# In every text that a person of the other organisation could have written.
MARK = "of-the-rival"


class Exported(NamedTuple):
    """How the attempt ended, and the bytes that it kept."""

    end: Ended
    data: bytes

    @property
    def result(self) -> dict[str, Any]:
        assert self.end.outcome == "done", self.end.error
        return dict(self.end.result)

    @property
    def table(self) -> list[dict[str, str]]:
        """As another reader of CSV has it."""
        rows = list(csv.reader(io.StringIO(self.data.decode("utf-8-sig"), newline=""), strict=True))
        assert rows[0] == self.result["columns"]
        assert len(rows) == self.result["rows"] + 1
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    @property
    def objects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.data)
        assert len(found) == self.result["rows"]
        return found


def export_attempt(org: Org, user: User | None, **payload: Any) -> Attempt:
    """Submitted and claimed."""
    job = make_job(org, user=user, type="data-export", payload={"dataset": "jobs", **payload}, queue="exports")
    (claimed,) = claim_all("exports")
    assert claimed.job_id == job.pk
    return make_attempt(claimed)


def export(org: Org, user: User | None = None, **payload: Any) -> Exported:
    return run(export_attempt(org, user, **payload))


def run(attempt: Attempt) -> Exported:
    end = attempt.run()
    flush([attempt.reporter])
    told = {"result": end.result, "error_type": end.error_type, "error": end.error, "permanent": end.permanent}
    assert finish_one(attempt.claimed, end.outcome, **told)
    return Exported(end, kept_bytes(attempt))


def kept_bytes(attempt: Attempt) -> bytes:
    kept = Artefact.objects.filter(job_id=attempt.claimed.job_id).first()
    if kept is None:
        return b""
    with kept.file.open("rb") as file:
        return bytes(file.read())


def fill(org: Org, user: User, mark: str) -> Job:
    """Something in every dataset. Returns the dead letter."""
    make_job(org, user=user, name=f"{mark}-a", title=mark, queue=f"{mark}-q", description=mark)
    (claimed,) = claim_all(f"{mark}-q")
    reporter = AttemptReporter(claimed)
    reporter.log("stdout", f"{mark} says\nsecond line")
    flush([reporter])
    assert finish_one(claimed, Outcome.DONE, result={"said": mark})
    record("test.act", org=org, actor=user, target=mark, old=1, new=2)
    Schedule.objects.create(org=org, name=f"{mark}-s", cron="@daily", job={"type": "python", "name": mark})
    counts = {"queued": 3, "running": 2, "scheduled": 1}
    DepthSample.objects.create(org_id=org.pk, queue=f"{mark}-q", at=datetime.now(UTC), **counts)
    return make_dead_letter(org, user=user, name=f"{mark}-b", title=mark, queue=f"{mark}-q")
