"""The schedules of an organisation: when each is due, what came of it, and what people do to one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from jobs.cron import NotCron
from jobs.errors import InvalidSchedule, QueueError, ScheduleNotFound, VersionChanged
from jobs.ids import uuid7
from jobs.models import Job, Schedule, ScheduleTick
from jobs.pages.upcoming import Upcoming, upcoming
from jobs.queue import schedules
from jobs.strict_json import UNSTORABLE
from orgs import rates
from orgs.client import client_address
from orgs.errors import RateLimited
from orgs.models import Org
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule with what came of its last time; `upcoming` is None where its zone is not known any more."""

    schedule: Schedule
    upcoming: Upcoming | None
    job: Job | None


@org_page(Action.READ)
def schedule_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """By name, a page at a time."""
    after = request.GET.get("after", "")
    if UNSTORABLE.search(after):
        raise BadRequest(_("This is no name."))
    last = ScheduleTick.objects.filter(schedule=OuterRef("pk")).order_by("-at")
    rows = Schedule.objects.for_org(scope.org).select_related("paused_by").filter(name__gt=after)
    rows = rows.annotate(
        last_outcome=Subquery(last.values("outcome")[:1]), last_job=Subquery(last.values("job_id")[:1])
    )
    found = list(rows.order_by("name")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    last_jobs: list[UUID | None] = [one.last_job for one in shown]  # type: ignore[attr-defined]
    jobs, now = jobs_of(scope.org, last_jobs), timezone.now()
    context = {
        "rows": [Row(one, next_of(one, now), jobs.get(job)) for one, job in zip(shown, last_jobs, strict=True)],
        "next_after": shown[-1].name if len(found) > PAGE_SIZE else "",
        "beyond_first": bool(after),
    }
    return render(request, "jobs/schedules.html", context)


def jobs_of(org: Org, ids: list[UUID | None]) -> dict[UUID | None, Job]:
    """Those that are still there, with their state."""
    jobs = Job.objects.for_org(org).with_state().defer("payload", "result", "description")
    return {job.pk: job for job in jobs.filter(pk__in=[one for one in ids if one])}


def next_of(schedule: Schedule, now: datetime) -> Upcoming | None:
    try:
        return upcoming(schedules.cron_of(schedule), now, schedule.next_at)
    except NotCron:
        return None


def schedule_of(schedule_id: UUID, org: Org) -> Schedule:
    """Raises Http404."""
    rows = Schedule.objects.for_org(org).select_related("created_by", "paused_by")
    found = rows.filter(pk=schedule_id).first()
    if found is None:
        raise Http404
    return found


@org_page(Action.READ)
def schedule_page(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """One schedule, and the times it was due, the latest first."""
    schedule = schedule_of(schedule_id, scope.org)
    ticks = ScheduleTick.objects.filter(schedule=schedule).order_by("-at")
    if text := request.GET.get("before"):
        ticks = ticks.filter(at__lt=moment_of(text))
    found = list(ticks[: PAGE_SIZE + 1])
    jobs = jobs_of(scope.org, [one.job_id for one in found])
    context = {
        "schedule": schedule,
        "upcoming": next_of(schedule, timezone.now()),
        "ticks": [(one, jobs.get(one.job_id)) for one in found[:PAGE_SIZE]],
        "next_before": found[PAGE_SIZE - 1].at.isoformat() if len(found) > PAGE_SIZE else "",
        "beyond_first": "before" in request.GET,
        "once": uuid7().hex,
    }
    return render(request, "jobs/schedule.html", context)


def moment_of(text: str) -> datetime:
    """Raises BadRequest."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year < 2200:
        raise BadRequest(_("This is no time."))
    return found


@org_page(Action.SUBMIT, methods=("POST",))
def run(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """Submit its job now, in his name."""
    schedule = schedule_of(schedule_id, scope.org)
    once = request.POST.get("once", "")[:64]
    try:
        rates.submitting(request, scope)
        found = schedules.run_now(
            schedule,
            scope=scope,
            key=f"run-{once}" if once and not UNSTORABLE.search(once) else None,
            correlation_id=getattr(request, "correlation_id", ""),
            address=client_address(request),
        )
    except RateLimited as error:
        messages.error(request, str(error.detail))
    except QueueError as error:
        messages.error(request, _("Nothing was submitted.") + " " + told(error))
    else:
        return redirect("job", found.job_id)
    return redirect("schedule", schedule_id)


def told(error: QueueError) -> str:
    """Its sentence, with what is wrong."""
    inner = "; ".join(f"{pointer} {wrong}" for pointer, wrong in getattr(error, "errors", []))
    return f"{error.detail} {inner}".strip()


@org_page(Action.MANAGE_SCHEDULES, methods=("POST",))
def pause(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """It is not due until it is resumed."""
    reason = request.POST.get("reason", "").strip()
    said = _("%(name)s is paused. Times that pass meanwhile are not made up for.")
    return changed(request, scope, schedule_id, said, is_paused=True, reason=reason)


@org_page(Action.MANAGE_SCHEDULES, methods=("POST",))
def resume(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """It is due again, from now on."""
    return changed(request, scope, schedule_id, _("%(name)s goes on."), is_paused=False)


def changed(request: HttpRequest, scope: Scope, schedule_id: UUID, said: str, **fields: Any) -> HttpResponse:
    """The version is not asked for: to pause means the same whatever else has been changed."""
    try:
        schedule = schedules.change(schedule_id, scope=scope, version=None, request=request, **fields)
    except ScheduleNotFound as error:
        raise Http404 from error
    except InvalidSchedule as error:
        # what it asks for is not allowed any more
        messages.error(request, _("Nothing was changed.") + " " + told(error))
    else:
        messages.success(request, said % {"name": schedule.name})
    return redirect("schedule", schedule_id)


@org_page(Action.MANAGE_SCHEDULES, methods=("POST",))
def remove(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """Delete the version that he has seen; its jobs stay."""
    schedule = schedule_of(schedule_id, scope.org)
    try:
        schedules.remove(schedule_id, scope=scope, version=version_of(request), request=request)
    except ScheduleNotFound as error:
        raise Http404 from error
    except VersionChanged:
        messages.error(request, _("It was changed meanwhile, so it is still there: look at it once more."))
        return redirect("schedule", schedule_id)
    messages.success(request, _("%(name)s is removed; the jobs that it brought stay.") % {"name": schedule.name})
    return redirect("schedules")


def version_of(request: HttpRequest) -> int:
    """Of the form that was sent; one that says none is as old as can be."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
