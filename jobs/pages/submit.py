"""Submitting a job: a form per type, what it would take before it is sent, and the job's page after."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jobs.classifying import asked_of, preview
from jobs.errors import QueueError, QueueFull
from jobs.forms import FORMS, RawForm, SubmitForm
from jobs.forms.python_task import PythonForm
from jobs.forms.shell import ShellForm, runnable
from jobs.handlers import registry
from jobs.hiding import hide
from jobs.ids import uuid7
from jobs.models import Job
from jobs.pages.commands import snippets
from jobs.pages.job import get_job_for
from jobs.pages.why import words
from jobs.queue.enqueue import enqueue
from jobs.queue.forecast import forecast
from jobs.queue.new_job import NewJob
from orgs import rates
from orgs.client import client_address
from orgs.errors import RateLimited
from orgs.models import Org
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

PREVIEW_WORDS = 5


@org_page({"GET": Action.READ, "POST": Action.SUBMIT})
def submit(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The form; those who may not submit see which role may."""
    if request.method == "POST":
        return submitted(request, scope)
    return form_page(request, prefilled(request, scope))


def submitted(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Store the job, or show the form again with what is wrong, or (without a script) with the answer asked for."""
    form = posted_form(request.POST, scope.org)
    step = request.POST.get("step", "")
    if step == "task":
        return form_page(request, with_skeleton(form))
    if not form.is_valid():
        return form_page(request, form, status=400)
    if step == "forecast":
        return form_page(request, form, **forecast_context(request, scope, form))
    try:
        rates.submitting(request, scope)
        stored = enqueue(
            form.new_job(),
            org=scope.org,
            user=scope.user,
            role=scope.role,
            correlation_id=getattr(request, "correlation_id", ""),
            address=client_address(request),
        )
    except RateLimited as error:
        form.add_error(None, str(error.detail))
        return form_page(request, form, status=429)
    except QueueError as error:
        form.refuse(error)
        return form_page(request, form, status=429 if isinstance(error, QueueFull) else 400)
    if not stored.created:
        messages.info(request, _("This form was submitted before: here is its job."))
    return redirect("job", stored.job_id)


@org_page(Action.SUBMIT, methods=("POST",))
def forecast_fragment(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What the job in the form would take; asked while a person fills it in."""
    form = posted_form(request.POST, scope.org)
    context = forecast_context(request, scope, form) if form.is_valid() else {"forecast": None}
    response = render(request, "jobs/_forecast.html", context)
    response["Cache-Control"] = "no-store"
    return response


def forecast_context(request: HttpRequest, scope: Scope, form: SubmitForm) -> dict[str, Any]:
    new = form.new_job()
    return {
        "forecast": forecast(scope.org, new, scope.user),
        "new": new,
        "preview": preview_of(scope.org, new),
        "snippets": snippets(request, scope.org, new),
    }


def preview_of(org: Org, new: NewJob) -> dict[str, Any] | None:
    """What its title and description say of it, where they are to tell something."""
    if not new.to_classify:
        return None
    told = preview(org, asked_of(new.type, new.title, new.description))
    return {
        "told": told,
        "words": words({"words": told.words, "pulls": told.pulls})[:PREVIEW_WORDS],
        "category": "category" in new.to_classify,
        "urgency": "urgency" in new.to_classify,
    }


@org_page(Action.SUBMIT)
def task_fragment(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The arguments of a task, when another one is chosen."""
    form = PythonForm(initial={"task": request.GET.get("task", ""), **fresh()}, org=scope.org, type="python")
    return render(request, "jobs/submit/_task.html", {"form": with_skeleton(form)})


def form_page(request: HttpRequest, form: SubmitForm, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {
        "form": form,
        "types": [registry.get(type) for type in registry.types() if type in FORMS],
        "handler": registry.get(form.type),
        "raw": isinstance(form, RawForm),
        "has_fields": FORMS[form.type] is not RawForm,
        "own": "jobs/submit/_raw.html" if isinstance(form, RawForm) else f"jobs/submit/_{form.type}.html",
        "no_programs": isinstance(form, ShellForm) and not runnable(form.org),
    }
    return render(request, "jobs/submit.html", context, status=status)


def prefilled(request: HttpRequest, scope: Scope) -> SubmitForm:
    """Empty, or with the values of the job in `?from=`; raises Http404 for a job of others."""
    if source := request.GET.get("from"):
        return again(get_job_for(scope, job_id_of(source)), scope.org)
    type = known(request.GET.get("type", ""))
    cls = form_class(type, request.GET.get("as", ""))
    form = cls(initial={**starting(cls, type), **fresh()}, org=scope.org, type=type)
    return with_skeleton(form)


def starting(cls: type[SubmitForm], type: str) -> dict[str, Any]:
    """The values of an example that works, where this organisation may run it."""
    return cls.initial_of(registry.get(type).example)


def again(job: Job, org: Org) -> SubmitForm:
    """The form that would submit this job; by JSON where the fields cannot say all of its payload."""
    same = ("name", "title", "description", "queue", "urgency", "category", "timeout_seconds", "max_attempts")
    common = {name: getattr(job, name) for name in same} | {"tags": " ".join(job.tags)} | fresh()
    common |= {f"retry_{name}": value for name, value in (job.retry or {}).items()}
    payload = hide(job.payload)
    if payload != job.payload:
        common["copy_of"] = job.pk
    if cls := FORMS.get(job.type):
        values = common | cls.initial_of(payload)
        trial = cls(values, org=org, type=job.type)
        if trial.is_valid() and trial.payload() == payload:
            return cls(initial=values, org=org, type=job.type)
    return RawForm(initial=common | RawForm.initial_of(payload), org=org, type=known(job.type))


def posted_form(data: QueryDict, org: Org) -> SubmitForm:
    """Bound to what was sent."""
    type = known(data.get("type", ""))
    return form_class(type, data.get("as", ""))(data, org=org, type=type)


def form_class(type: str, shape: str) -> type[SubmitForm]:
    return RawForm if shape == "json" else FORMS[type]


def known(type: str) -> str:
    """A type that runs here and has a form; the first for anything else."""
    return type if type in FORMS else next(iter(FORMS))


def fresh() -> dict[str, str]:
    return {"once": uuid7().hex}


def job_id_of(text: str) -> UUID:
    """Raises Http404 through an id that no job has."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def with_skeleton(form: SubmitForm) -> SubmitForm:
    """A python form whose arguments are those of its task."""
    if not isinstance(form, PythonForm) or (shown := form.shown_task()) is None:
        return form
    start = {name: form[name].value() for name in form.fields}
    start |= {"task": shown.task.name, "kwargs": shown.skeleton}
    return PythonForm(initial=start, org=form.org, type=form.type)
