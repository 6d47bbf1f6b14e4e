"""The pages of the pool: who works, on what, who leads; one worker, and telling it what to do."""

from typing import Any
from uuid import UUID
from zlib import crc32

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from analytics import sql
from analytics.pool import KINDS, Seen, leader, pool, pool_version, processes, seen
from jobs.errors import WorkerGone, WorkerNotFound
from jobs.models import WorkerProcess
from jobs.pages.live import unchanged
from jobs.queue.worker_control import tell
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

LAST_JOBS = 20
# Of the newest attempts of an organisation so many are looked through.
ATTEMPTS_BOUND = 5_000


@org_page(Action.READ)
def workers(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The pool: who works, on what, and who leads."""
    version = version_of()
    if same := unchanged(request, version):
        return same
    found = pool(scope.org)
    context = {
        "version": version,
        "workers": [one for one in found if one.process.kind == "worker"],
        "others": [one for one in found if one.process.kind != "worker"],
        "missing": [
            kind
            for kind in KINDS
            if not any(one.living for one in found if one.process.kind == kind and one.process.org_id is None)
        ],
        "leader": leader(),
        "reclaimed": reclaimed(scope.org),
    }
    return page_or_fragment(request, "analytics/workers.html", "analytics/_workers.html", context)


def version_of() -> str:
    of_pool = pool_version()
    return f"{of_pool['beats']}.{of_pool['leases']}.{of_pool['living']}.{of_pool['leader'].replace('/', '.')}"


def reclaimed(org: Org) -> dict[str, Any]:
    """What was taken back from lost workers in the last day: `jobs`, `last_at` and `last_jobs`."""
    (row,) = sql.run("reclaimed", org_id=org.pk, bound=ATTEMPTS_BOUND)
    return row


@org_page(Action.READ)
def worker(request: HttpRequest, scope: Scope, worker_id: UUID) -> HttpResponse:
    """One worker: what it runs, until when it holds that, its last jobs, and what it is told to do."""
    one = worker_seen(worker_id, scope.org)
    jobs = sql.run("worker_jobs", org_id=scope.org.pk, worker_id=worker_id, bound=ATTEMPTS_BOUND, most=LAST_JOBS)
    process = one.process
    told = (process.status, process.beat_at, process.asked, process.asked_at, process.obeyed_at, one.running, one.late)
    version = str(crc32(repr((told, jobs[:1])).encode()))
    if same := unchanged(request, version):
        return same
    context = {
        "one": one,
        "process": process,
        "jobs": jobs,
        "version": version,
        "bound": ATTEMPTS_BOUND,
        "may_command": may_command(scope, process),
        "commands": commands_for(one),
    }
    return page_or_fragment(request, "analytics/worker.html", "analytics/_worker.html", context)


def worker_seen(worker_id: UUID, org: Org) -> Seen:
    """Raises Http404. One that ended long ago is still shown."""
    found = list(processes(org, gone_too=True).filter(pk=worker_id, kind="worker"))
    if not found:
        raise Http404
    return seen(org, found)[0]


def may_command(scope: Scope, process: WorkerProcess) -> bool:
    return scope.can(Action.COMMAND_WORKERS) and (process.org_id is not None or scope.passes)


def commands_for(one: Seen) -> tuple[str, ...]:
    """What it may be told now; nothing where it is ending."""
    if one.process.asked == "stop" or one.process.status not in (WorkerProcess.ONLINE, WorkerProcess.QUIET):
        return ()
    return ("resume" if one.process.asked == "quiet" else "quiet", "stop")


@org_page(Action.COMMAND_WORKERS, methods=("POST",))
def command(request: HttpRequest, scope: Scope, worker_id: UUID, word: str) -> HttpResponse:
    """Quiet, resume or stop."""
    if word not in WorkerProcess.COMMANDS:
        raise BadRequest(_("There is no such command."))
    try:
        told = tell(worker_id, word, scope=scope, request=request, reason=request.POST.get("reason", "").strip())
    except WorkerNotFound as error:
        raise Http404 from error
    except WorkerGone as error:
        messages.warning(request, error.detail)
    else:
        said = {
            "quiet": _("%(name)s is asked to take no more jobs."),
            "resume": _("%(name)s is asked to take jobs again."),
            "stop": _("%(name)s is asked to finish what it runs, and to end."),
        }
        messages.success(request, said[word] % {"name": told.name})
    return redirect("worker", worker_id)
