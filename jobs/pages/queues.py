"""The queues of an organisation: what waits in them, who serves them, and pausing."""

from dataclasses import dataclass
from zlib import crc32

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from jobs.errors import JobNotFound
from jobs.models import Queue, serving
from jobs.pages.live import org_version, unchanged
from jobs.queue import sql
from jobs.queue.control import order_by, pause, resume
from jobs.ranking import POLICIES
from jobs.states import Status
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

MOST = 500


@dataclass(frozen=True, slots=True)
class QueueRow:
    queue: Queue
    # in the order of Status
    counts: list[tuple[Status, int]]
    workers: int

    @property
    def unserved(self) -> bool:
        """Jobs wait here and no worker that is online takes them."""
        return self.workers == 0 and dict(self.counts)[Status.QUEUED] > 0


@org_page(Action.READ)
def queue_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All queues, live."""
    moves = org_version(scope.org)
    rows = queue_rows(scope.org)
    facts = [(row.queue.name, row.queue.paused_at, row.queue.policy, row.workers) for row in rows]
    version = f"{moves}.{crc32(repr(facts).encode())}"
    if same := unchanged(request, version):
        return same
    context = {"rows": rows, "version": version, "statuses": list(Status), "policies": POLICIES}
    return page_or_fragment(request, "jobs/queues.html", "jobs/_queues.html", context)


def queue_rows(org: Org) -> list[QueueRow]:
    counts: dict[tuple[str, str], int] = {
        (row.queue, row.status): row.jobs for row in sql.run("org_counts", org_id=org.pk)
    }
    served: list[list[str]] = list(serving(org).values_list("queues", flat=True)[:MOST])
    return [
        QueueRow(
            queue,
            [(status, counts.get((queue.name, status), 0)) for status in Status],
            sum(queue.name in names or "*" in names for names in served),
        )
        for queue in Queue.objects.for_org(org).select_related("paused_by").order_by("name")[:MOST]
    ]


@org_page(Action.PAUSE, methods=("POST",))
def queue_policy(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """New jobs of the queue are ordered by it from now on."""
    policy = request.POST.get("policy", "")
    if policy not in ("", *POLICIES):
        messages.error(request, "There is no such order.")
        return redirect("queues")
    try:
        order_by(name, policy, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    messages.success(request, f"New jobs of {name} are ordered so from now on; those that wait keep their places.")
    return redirect("queues")


@org_page(Action.PAUSE, methods=("POST",))
def queue_pause(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """No job of the queue starts from now on."""
    try:
        pause(name, scope=scope, request=request, reason=request.POST.get("reason", "").strip())
    except JobNotFound as error:
        raise Http404 from error
    messages.success(request, f"{name} is paused: running jobs go on, no other starts.")
    return redirect("queues")


@org_page(Action.PAUSE, methods=("POST",))
def queue_resume(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """Jobs of the queue start again."""
    try:
        resume(name, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    messages.success(request, f"{name} goes on.")
    return redirect("queues")
