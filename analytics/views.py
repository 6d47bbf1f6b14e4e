"""The overview and the workers: pages that answer "is it healthy?" and refresh themselves."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from analytics import charts, queries
from analytics.pool import leader, pool, pool_version
from analytics.steps import first_steps
from jobs.listing import TooSlow, bounded
from jobs.models import Job
from jobs.pages.live import is_poll, org_version, unchanged
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# The spans a chart can show.
SPANS = {1: "1 hour", 24: "24 hours", 168: "7 days", 720: "30 days"}
# Charts are drawn again at most once in CHARTS_SECONDS, and without a move only once in CHARTS_IDLE of these.
CHARTS_SECONDS, CHARTS_IDLE = 15, 20
# How often to look at what depends on time alone.
IDLE_SECONDS = 30
WAIT_WARNING_SECONDS = 60
FAILURES_SHOWN = 6
STEPS_COOKIE = "first-steps"
YEAR_SECONDS = 365 * 24 * 3600


@org_page(Action.READ)
def overview(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everything on one page. A poll gets what moves, and the charts with it when theirs are old."""
    hours, moves = span(request), org_version(scope.org)
    state, fresh = overview_version(moves), Drawn(int(time.time() // CHARTS_SECONDS), moves)
    sent_state, _, sent_drawn = request.GET.get("v", "").partition("~")
    if is_poll(request) and sent_state == state:
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
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


@dataclass(frozen=True, slots=True)
class Drawn:
    """When charts were drawn, in units of CHARTS_SECONDS, and after which moves."""

    at: int
    moves: str

    @staticmethod
    def parse(text: str) -> "Drawn | None":
        at, _, moves = text.partition("-")
        return Drawn(int(at), moves) if at.isdecimal() and len(at) < 12 else None

    def __str__(self) -> str:
        return f"{self.at}-{self.moves}"

    def replaces(self, shown: "Drawn") -> bool:
        """Time alone moves them too, if slowly."""
        age = self.at - shown.at
        return age >= CHARTS_IDLE or (age > 0 and self.moves != shown.moves)


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
    failures = Job.objects.for_org(org).dead_letters().order_by("-failed_at", "-id")
    return {
        "counts": (counts := queries.counts(org)),
        "health": (health := queries.health(org)),
        "leader": (leads := leader()),
        "unserved": (unserved := queries.unserved(org)),
        "verdict": verdict(counts, health, leads["state"], unserved),
        "failures": failures.defer("payload", "result", "description")[:FAILURES_SHOWN],
        "steps": [] if request.COOKIES.get(STEPS_COOKIE) == "hidden" else first_steps(scope),
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it is, in a word with a reason, and where to look."""

    css: str
    word: str
    reason: str
    link: str


def verdict(
    counts: dict[str, Any], health: queries.Health, leader_state: str, unserved: list[queries.Unserved]
) -> Verdict:
    """The worst of what can be said."""
    waiting, waits = counts["queue_depth"], health.oldest_waiting_seconds or 0
    if not counts["active_workers"] and waiting:
        return Verdict("bad", "Standing still", "jobs wait and no worker runs", "/workers/")
    if leader_state != "active":
        return Verdict("bad", "No leader", "nothing scheduled or retried will start", "/workers/")
    if unserved:
        return Verdict("warning", "Needs attention", "jobs wait that no worker takes", "/queues/")
    if health.dead_last_hour:
        return Verdict("warning", "Needs attention", "jobs have failed for good", "/dead-letters/?within=1h")
    if waits > WAIT_WARNING_SECONDS and not health.paused_queues:
        return Verdict("warning", "Slow", "a job has waited for long", "/jobs/?status=queued&sort=created")
    if not counts["active_workers"]:
        return Verdict("warning", "Idle", "no worker runs, and nothing waits", "/workers/")
    return Verdict("", "Healthy", "", "/workers/")


def drawings(org: Org, hours: int, now: datetime) -> dict[str, Any]:
    """The charts with the numbers behind them; none when there is too much to read in time."""
    try:
        with bounded():
            flow, depths = queries.throughput(org, hours), queries.depth(org, hours)
            points = queries.predictions(org)
    except TooSlow:
        return {"too_slow": True}
    return {
        "flow": flow,
        "flow_chart": charts.bars(flow.buckets),
        "depths": depths,
        "depth_chart": charts.depth_lines(depths.buckets, hours=hours, bucket_seconds=depths.bucket_seconds, now=now),
        "points": points,
        "scatter": charts.scatter(points),
    }


@org_page(Action.READ, methods=("POST",))
def hide_steps(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The card of the first steps goes, in this browser."""
    response = redirect("overview")
    response.set_cookie(
        STEPS_COOKIE, "hidden", max_age=YEAR_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure()
    )
    return response


@org_page(Action.READ)
def workers(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The pool: who works, on what, and who leads."""
    of_pool = pool_version()
    version = f"{of_pool['beats']}.{of_pool['leases']}.{of_pool['living']}.{of_pool['leader'].replace('/', '.')}"
    if same := unchanged(request, version):
        return same
    found = pool(scope.org)
    context = {
        "version": version,
        "workers": [one for one in found if one.process.kind == "worker"],
        "others": [one for one in found if one.process.kind != "worker"],
        "missing": [
            kind
            for kind in ("worker", "scheduler", "watchdog")
            if not any(one.living for one in found if one.process.kind == kind and one.process.org_id is None)
        ],
        "leader": leader(),
    }
    return page_or_fragment(request, "analytics/workers.html", "analytics/_workers.html", context)
