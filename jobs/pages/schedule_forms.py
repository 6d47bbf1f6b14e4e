"""Making and changing a schedule: its times, and its job by the form of the job's type."""

import dataclasses
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.cron import Cron, NotCron
from jobs.errors import InvalidSchedule, NameTaken, QueueError, ScheduleNotFound, VersionChanged
from jobs.forms import FORMS, RawForm, SubmitForm
from jobs.forms.schedule import ScheduleForm
from jobs.forms.shell import ShellForm, runnable
from jobs.handlers import registry
from jobs.hiding import hide
from jobs.models import Schedule
from jobs.pages.schedules import schedule_of, version_of
from jobs.pages.submit import form_class, fresh, known, posted_form, prefilled, with_skeleton
from jobs.pages.upcoming import upcoming
from jobs.queue import schedules
from jobs.queue.new_job import NewJob
from orgs.models import Org
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

# What a submit may say and a schedule's job does not: it is due by the schedule.
NOT_OF_A_JOB = {"run_at", "delay_seconds", "idempotency_key"}
COMPARED = ("name", "cron", "timezone", "missed", "is_paused", "job")
TIMES_LEFT_OUT = ("delay_seconds", "run_at")
SAID_BY_FORM = {"type", "payload", "retry", *SubmitForm.base_fields}


@org_page({"GET": Action.READ, "POST": Action.MANAGE_SCHEDULES})
def new(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The form of a new schedule, and making it."""
    if request.method != "POST":
        start = {name: request.GET[name] for name in ("cron", "timezone") if name in request.GET}
        return form_page(request, scope, ScheduleForm(initial={**start}), prefilled(request, scope))
    form, job = ScheduleForm(request.POST), posted_form(request.POST, scope.org)
    if (answer := not_yet(request, scope, form, job, None)) is not None:
        return answer
    try:
        made = schedules.create(scope=scope, request=request, **fields_of(form, job))
    except QueueError as error:
        refuse(form, job, error)
        return form_page(request, scope, form, job, status=400)
    messages.success(request, _("%(name)s is scheduled.") % {"name": made.name})
    return redirect("schedule", made.pk)


@org_page({"GET": Action.READ, "POST": Action.MANAGE_SCHEDULES})
def edit(request: HttpRequest, scope: Scope, schedule_id: UUID) -> HttpResponse:
    """The form with the values there are; it is refused where somebody else was faster."""
    schedule = schedule_of(schedule_id, scope.org)
    if request.method != "POST":
        return form_page(request, scope, ScheduleForm.of(schedule), job_form(schedule, scope.org), schedule=schedule)
    form, job = ScheduleForm(request.POST), posted_form(request.POST, scope.org)
    if (answer := not_yet(request, scope, form, job, schedule)) is not None:
        return answer
    asked = fields_of(form, job, schedule)
    try:
        changed = schedules.change(schedule.pk, scope=scope, version=version_of(request), request=request, **asked)
    except ScheduleNotFound as error:
        raise Http404 from error
    except VersionChanged:
        now_there = schedule_of(schedule_id, scope.org)
        theirs = differences(now_there, asked)
        return form_page(request, scope, form, job, schedule=now_there, theirs=theirs, status=409)
    except QueueError as error:
        refuse(form, job, error)
        return form_page(request, scope, form, job, schedule=schedule, status=400)
    messages.success(request, _("%(name)s is changed.") % {"name": changed.name})
    return redirect("schedule", changed.pk)


def not_yet(
    request: HttpRequest, scope: Scope, form: ScheduleForm, job: SubmitForm, schedule: Schedule | None
) -> HttpResponse | None:
    """The form once more: another step was asked for, or something is wrong."""
    step = request.POST.get("step", "")
    # the version that the form began with, not the one there is
    seen: dict[str, Any] = {"schedule": schedule, "version": version_of(request) if schedule else None}
    if step == "task":
        return form_page(request, scope, form, with_skeleton(job), **seen)
    fine = form.is_valid()
    if step == "preview":
        return form_page(request, scope, form, job, **seen)
    if not (job.is_valid() and fine):
        return form_page(request, scope, form, job, status=400, **seen)
    return None


def form_page(
    request: HttpRequest,
    scope: Scope,
    form: ScheduleForm,
    job: SubmitForm,
    *,
    schedule: Schedule | None = None,
    version: int | None = None,
    theirs: list[dict[str, str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    raw = isinstance(job, RawForm)
    context = {
        "schedule": schedule,
        "version": version if version is not None else schedule and schedule.version,
        "theirs": theirs,
        "times": form,
        "form": job,
        "types": [registry.get(type) for type in registry.types() if type in FORMS],
        "handler": registry.get(job.type),
        "raw": raw,
        "has_fields": FORMS[job.type] is not RawForm,
        "own": "jobs/submit/_raw.html" if raw else f"jobs/submit/_{job.type}.html",
        "no_programs": isinstance(job, ShellForm) and not runnable(scope.org),
        "later": [job[name] for name in (*job.LATER, *job.RETRY) if name not in TIMES_LEFT_OUT],
        **previewed(str(form["cron"].value() or ""), str(form["timezone"].value() or "")),
    }
    return render(request, "jobs/schedule_form.html", context, status=status)


@org_page(Action.READ)
def preview(request: HttpRequest, scope: Scope) -> HttpResponse:
    """An expression in words, and when it would be due; asked while a person types it."""
    asked = [request.GET.get(f"schedule-{name}", "") for name in ("cron", "timezone")]
    response = render(request, "jobs/_schedule_preview.html", previewed(*asked))
    response["Cache-Control"] = "no-store"
    return response


def previewed(cron: str, zone: str) -> dict[str, Any]:
    """`upcoming`, or what is wrong (`fault`); neither of nothing."""
    if not cron.strip():
        return {"upcoming": None, "fault": ""}
    try:
        found = upcoming(Cron(cron.strip(), zone.strip() or "UTC"), timezone.now())
    except NotCron as error:
        return {"upcoming": None, "fault": str(error)}
    return {"upcoming": found, "fault": "" if found.runs else _("This is never due.")}


def fields_of(form: ScheduleForm, job: SubmitForm, schedule: Schedule | None = None) -> dict[str, Any]:
    """What schedules.create() and change() take. What the form has no field for stays as it is."""
    asked = job_of(job.new_job())
    there = schedule.job if schedule and schedule.job["type"] == asked["type"] else {}
    kept = {name: value for name, value in there.items() if name not in SAID_BY_FORM}
    return {**form.cleaned_data, "job": {**kept, **asked}}


def job_of(new: NewJob) -> dict[str, Any]:
    """As the API would have it: what is not said is left out."""
    plain = NewJob(type=new.type, payload=new.payload)
    said = {
        one.name: getattr(new, one.name)
        for one in dataclasses.fields(new)
        if one.name not in NOT_OF_A_JOB and getattr(new, one.name) not in (None, "", [], getattr(plain, one.name))
    }
    return {"type": new.type, "payload": new.payload, "queue": new.queue, **said}


def job_form(schedule: Schedule, org: Org) -> SubmitForm:
    """The form that says the job of the schedule; by JSON where the fields of its type cannot."""
    known_fields = {one.name for one in dataclasses.fields(NewJob)}
    job = NewJob(**{name: value for name, value in schedule.job.items() if name in known_fields})
    values = {name: value for name, value in schedule.job.items() if name in SubmitForm.base_fields} | fresh()
    values["tags"] = " ".join(job.tags)
    values |= {f"retry_{name}": value for name, value in (job.retry or {}).items()}
    payload = hide(job.payload)
    if (cls := FORMS.get(job.type)) and cls is not RawForm:
        start = values | cls.initial_of(payload)
        trial = cls(start, org=org, type=job.type)
        if trial.is_valid() and trial.payload() == payload:
            return cls(initial=start, org=org, type=job.type)
    return form_class(known(job.type), "json")(
        initial=values | RawForm.initial_of(payload), org=org, type=known(job.type)
    )


def refuse(form: ScheduleForm, job: SubmitForm, error: QueueError) -> None:
    """Put what the queue said beside the fields it is about."""
    if isinstance(error, NameTaken):
        form.add_error("name", error.detail)
    elif isinstance(error, InvalidSchedule):
        for pointer, wrong in error.errors:
            if isinstance(wrong, QueueError):
                job.refuse(wrong)
            else:
                name = pointer.strip("/")
                form.add_error(name if name in form.fields else None, wrong)
    else:
        form.add_error(None, error.detail)


def differences(theirs: Schedule, asked: dict[str, Any]) -> list[dict[str, str]]:
    """Where what is there now is another than what was sent."""
    there: dict[str, Any] = {name: getattr(theirs, name) for name in COMPARED}
    shown = hide({"theirs": there, "ours": asked})
    return [
        {"name": name, "theirs": str(shown["theirs"][name]), "ours": str(shown["ours"][name])}
        for name in COMPARED
        if there[name] != asked[name]
    ]
