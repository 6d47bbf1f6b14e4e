"""The overview and the workers: pages that answer "is it healthy?" and refresh themselves."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from analytics import dot_charts, flow_charts, queries
from analytics.drawn import CHARTS_SECONDS, Drawn
from analytics.page import SPANS
from analytics.pool import pool_version
from analytics.steps import broken_job, first_steps
from jobs import sums
from jobs.listing import TooSlow, bounded
from jobs.models import Job
from jobs.pages.live import is_poll, nothing_moved, org_version
from jobs.spoken import spoken
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action, OrgState
from orgs.scope import Scope

# How often to look at what depends on time alone.
IDLE_SECONDS = 30
WAIT_WARNING_SECONDS = 60
FAILURES_SHOWN = 6
STEPS_COOKIE = "first-steps"
SAW_MODEL = "saw_model"
YEAR_SECONDS = 365 * 24 * 3600


@org_page(Action.READ)
def overview(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everything on one page. A poll gets what moves, and the charts with it when theirs are old."""
    hours, moves = span(request), org_version(scope.org)
    state, fresh = overview_version(moves), Drawn(int(time.time() // CHARTS_SECONDS), moves)
    sent_state, _, sent_drawn = request.GET.get("v", "").partition("~")
    if is_poll(request) and sent_state == state:
        return nothing_moved()
    shown = Drawn.parse(sent_drawn) if is_poll(request) else None
    redraw = shown is None or fresh.replaces(shown)
    context = {
        "version": f"{state}~{fresh if redraw else shown}",
        "hours": hours,
        "spans": SPANS,
        "redraw": redraw,
        **(now := pulse(request, scope)),
        **(drawings(scope.org, hours, now["health"].now) if redraw else {}),
    }
    return page_or_fragment(request, "analytics/overview.html", "analytics/_overview.html", context)


def span(request: HttpRequest) -> int:
    asked = request.GET.get("hours", "")
    return int(asked) if asked in map(str, SPANS) else queries.DAY_HOURS


def overview_version(moves: str) -> str:
    """Differs after every move of a job, when a process or the leader comes or goes, and now and then by itself."""
    of_pool = pool_version()
    idle = int(time.time() // IDLE_SECONDS)
    return f"{moves}.{of_pool['living']}.{of_pool['leader'].replace('/', '.')}.{idle}"


def pulse(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    """What is going on now."""
    org = scope.org
    found = queries.pulse(org)
    failures = Job.objects.for_org(org).dead_letters().order_by("-failed_at", "-id")
    return {
        "counts": found.counts,
        "health": found.health,
        "leader": found.leader,
        "unserved": found.unserved,
        "verdict": verdict(org, found),
        "failures": failures.defer("payload", "result", "description")[:FAILURES_SHOWN],
        **steps_of(request, scope),
    }


def steps_of(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    """The card of the first five minutes, unless it was put away or all was done."""
    if request.COOKIES.get(STEPS_COOKIE) == "hidden":
        return {"steps": []}
    steps = first_steps(scope, saw_model=bool(request.session.get(SAW_MODEL)))
    if not steps:
        return {"steps": []}
    address = request.build_absolute_uri("/api/v1/jobs/")
    curl = f'curl {address} -H "Authorization: Bearer $SMARTQUEUE_KEY" -H "X-Org: {scope.org.slug}"'
    return {"steps": steps, "broken": broken_job(), "first_curl": curl}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it is, in a word with a reason, and where to look."""

    css: str
    word: str
    reason: str
    link: str


def verdict(org: Org, found: queries.Pulse) -> Verdict:
    """The worst of what can be said."""
    if org.state != OrgState.ACTIVE:
        said = spoken(org.state)
        return Verdict("warning", said[:1].upper() + said[1:], _("nothing starts meanwhile"), "/members/")
    counts, health = found.counts, found.health
    waiting, waits = counts["queue_depth"], health.oldest_waiting_seconds or 0
    if not counts["active_workers"] and waiting:
        return Verdict("bad", _("Standing still"), _("jobs wait and no worker runs"), "/workers/")
    if found.leader["state"] != "active":
        return Verdict("bad", _("No leader"), _("nothing scheduled or retried will start"), "/workers/")
    if found.unserved:
        return Verdict("warning", _("Needs attention"), _("jobs wait that no worker takes"), "/queues/")
    if health.dead_last_hour:
        return Verdict("warning", _("Needs attention"), _("jobs have failed for good"), "/dead-letters/?within=1h")
    if waits > WAIT_WARNING_SECONDS and not health.paused_queues:
        return Verdict("warning", _("Slow"), _("a job has waited for long"), "/jobs/?status=queued&sort=created")
    if not counts["active_workers"]:
        return Verdict("warning", _("Idle"), _("no worker runs, and nothing waits"), "/workers/")
    return Verdict("", _("Healthy"), "", "/workers/")


def drawings(org: Org, hours: int, now: datetime) -> dict[str, Any]:
    """The charts with the numbers behind them; none when there is too much to read in time."""
    try:
        with bounded():
            found, depths = sums.over_time(org, hours), queries.depth(org, hours)
            points = queries.predictions(org)
    except TooSlow:
        return {"too_slow": True}
    return {
        "pictures": [
            flow_charts.throughput(found),
            flow_charts.waits(found),
            flow_charts.depth(depths, hours=hours, now=now),
            dot_charts.predicted_and_actual(points),
        ]
    }


@org_page(Action.READ, methods=("POST",))
def see_model(request: HttpRequest, scope: Scope) -> HttpResponse:
    """To the page of the model; that he has been there is remembered for the card of the first steps."""
    request.session[SAW_MODEL] = True
    return redirect("model")


@org_page(Action.READ, methods=("POST",))
def hide_steps(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The card of the first steps goes, in this browser."""
    response = redirect("overview")
    response.set_cookie(
        STEPS_COOKIE, "hidden", max_age=YEAR_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure()
    )
    return response
