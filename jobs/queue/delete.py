"""Deleting jobs that have ended, with their attempts, logs and files: what retention does, sooner."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from jobs.errors import IllegalMove, JobNotFound
from jobs.models import Dependency, Job
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.control import Check, checked
from jobs.queue.upkeep import delete_files
from jobs.states import TERMINAL
from orgs import audit
from orgs.roles import Action
from orgs.scope import Scope

AWAITED = "Others still wait for its end to be told."


def delete(job_id: UUID, *, scope: Scope, request: HttpRequest | None = None, check: Check | None = None) -> None:
    """Delete one job. Raises JobNotFound, or IllegalMove for one that has not ended."""
    scope.require(Action.DELETE)
    with brief():
        checked(job_id, check)
        gone = delete_some([job_id], scope=scope)
        if not gone:
            raise why_not(job_id, scope)
        audit.record(
            "job.delete", org=scope.org, actor=scope.user, target=job_id, request=request, old={"status": gone[job_id]}
        )


def delete_some(job_ids: Sequence[UUID], *, scope: Scope) -> dict[UUID, str]:
    """Those of these that were deleted, with the status they had. Their files go once that is committed."""
    rows = sql.run("delete_jobs", job_ids=list(job_ids), org_id=scope.org.pk)
    files = rows[0].files if rows else []
    transaction.on_commit(lambda: delete_files(files))
    return {row.job_id: row.status for row in rows}


def why_not(job_id: UUID, scope: Scope) -> JobNotFound | IllegalMove:
    job = Job.objects.for_org(scope.org).with_state().filter(pk=job_id).first()
    if job is None:
        return JobNotFound()
    if job.state in TERMINAL and Dependency.objects.filter(parent_id=job_id).exists():
        return IllegalMove(AWAITED, status=job.state)
    return IllegalMove(f"The job is {job.state}: only one that has ended can be deleted.", status=job.state)
