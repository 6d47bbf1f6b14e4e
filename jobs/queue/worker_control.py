"""Telling worker processes what to do: take no more, go on, finish and end.

The command stands in the process's row, and a notification has the worker look. It says that it does it (`obeyed_at`).
Workers of the deployment serve every organisation, so only a platform admin tells them; an organisation's own are its
admins' to tell, and hear of it when they call.
"""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import WorkerGone, WorkerNotFound
from jobs.models import WorkerProcess
from jobs.queue.brief import brief
from jobs.queue.notify import command
from orgs import audit, walls
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

LIVING = (WorkerProcess.ONLINE, WorkerProcess.QUIET, WorkerProcess.DRAINING)


def tell(
    worker_id: UUID, word: str, *, scope: Scope, request: HttpRequest | None = None, reason: str = ""
) -> WorkerProcess:
    """Ask a worker for one of WorkerProcess.COMMANDS. Raises WorkerNotFound, WorkerGone for one that has ended or is
    ending, PermissionDenied."""
    assert word in WorkerProcess.COMMANDS
    scope.require(Action.COMMAND_WORKERS)
    worker = worker_of(worker_id, scope.org)
    if worker.org_id is None:
        if not scope.passes:
            raise PermissionDenied("This worker serves every organisation: a platform admin tells it what to do.")
        with walls.across(walls.Across.PLATFORM):
            return told(worker_id, word, scope, request, reason)
    return told(worker_id, word, scope, request, reason)


def worker_of(worker_id: UUID, org: Org) -> WorkerProcess:
    """One that the organisation may see. Raises WorkerNotFound."""
    workers = WorkerProcess.objects.filter(Q(org_id=None) | Q(org_id=org.pk), kind="worker")
    found = workers.select_related("asked_by").filter(pk=worker_id).first()
    if found is None:
        raise WorkerNotFound
    return found


def told(worker_id: UUID, word: str, scope: Scope, request: HttpRequest | None, reason: str) -> WorkerProcess:
    with brief():
        worker = WorkerProcess.objects.select_for_update().get(pk=worker_id)
        if worker.status not in LIVING or worker.status == WorkerProcess.DRAINING or worker.asked == "stop":
            raise WorkerGone("The worker has ended, or is ending.")
        old = worker.asked
        worker.asked, worker.asked_at, worker.asked_by, worker.obeyed_at = word, Now(), scope.user, None
        worker.save(update_fields=["asked", "asked_at", "asked_by", "obeyed_at"])
        said = {"old": old, "new": word, "reason": reason[:200]}
        audit.record(f"worker.{word}", org=scope.org, actor=scope.user, target=worker.name, request=request, **said)
        if worker.org_id is None:
            command([worker_id], "beat")
    worker.refresh_from_db(fields=["asked_at"])
    return worker
