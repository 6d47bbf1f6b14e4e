"""One queue: its state, what waits in it by kind, what failed of late, its limits, and what people set of it."""

from django.db.models import Case, Q, When
from django.http import Http404, HttpRequest, HttpResponse

from jobs.models import EVERY, Job, Limit, LimitScope, Queue
from jobs.pages.live import org_version, unchanged
from jobs.pages.queues import version_of
from jobs.queue.limit_control import with_use
from jobs.queue.queue_facts import facts_of, pauses_of, waiting_kinds
from jobs.ranking import POLICIES
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

FAILURES, FAILURES_READ = 5, 500
MOST_LIMITS = 50


@org_page(Action.READ)
def queue_page(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """One queue; what it says of jobs is live."""
    queue = Queue.objects.for_org(scope.org).select_related("paused_by", "closed_by").filter(name=name).first()
    if queue is None:
        raise Http404
    pauses = pauses_of(scope.org)
    limits = limits_of(scope.org, name)
    (row,) = facts_of([queue], scope.org, pauses, limits)
    version = f"{org_version(scope.org)}.{version_of([row], pauses)}"
    if same := unchanged(request, version):
        return same
    limits = with_use(limits, scope.org) if limits else []
    context = {
        "row": row,
        "queue": queue,
        "whole": next((one for one in pauses if not one.type), None),
        "paused_kinds": {(one.type, one.name) for one in pauses if one.type},
        "kinds": waiting_kinds(scope.org, name),
        "failures": failures(scope.org, name),
        "limit": next((one for one in limits if one.scope == LimitScope.QUEUE), None),
        "limits": [one for one in limits if one.scope != LimitScope.QUEUE],
        "policies": POLICIES,
        "version": version,
    }
    return page_or_fragment(request, "jobs/queue.html", "jobs/_queue.html", context)


def limits_of(org: Org, queue: str) -> list[Limit]:
    """The queue's own, and what else may be about its jobs: that of the organisation and of each key first."""
    about = Q(scope=LimitScope.QUEUE, name=queue) | ~Q(scope=LimitScope.QUEUE)
    first = Case(When(scope=LimitScope.QUEUE, then=0), When(name=EVERY, then=1), default=2)
    return list(Limit.objects.for_org(org).filter(about).order_by(first, "scope", "name")[:MOST_LIMITS])


def failures(org: Org, queue: str) -> list[Job]:
    """The newest of the queue among the newest dead letters of the organisation."""
    newest = Job.objects.for_org(org).dead_letters().order_by("-failed_at")
    found = Job.objects.for_org(org).filter(pk__in=newest.values("pk")[:FAILURES_READ], queue=queue)
    return list(found.defer("payload", "result", "description").order_by("-failed_at")[:FAILURES])
