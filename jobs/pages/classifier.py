"""The page of an organisation's classifier, its categories, and the form by which a person corrects a job."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jobs.classifier_facts import facts
from jobs.errors import InvalidClassification, JobNotFound
from jobs.pages.confusion import matrix, newest
from jobs.queue import labels
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.READ)
def classifier_page(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Categories, versions, what was corrected into what, and how often the memory helped."""
    known = facts(scope.org)
    context = {"facts": known, "matrix": matrix(known.confused), "corrections": newest(scope.org, known.versions)}
    return render(request, "jobs/classifier.html", context)


@org_page(Action.MANAGE_ORG, methods=("POST",))
def categories(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Names, one a line; none for the deployment's."""
    names = [name.strip() for name in request.POST.get("categories", "").splitlines() if name.strip()]
    try:
        labels.set_categories(names, scope=scope, request=request)
    except InvalidClassification as error:
        for pointer, sentence in error.errors[:5]:
            place = pointer.removeprefix("/categories").removeprefix("/")
            name = f"{names[int(place)]:.80}: " if place else ""
            messages.error(request, _("Nothing was changed. %(why)s") % {"why": f"{name}{sentence}"})
    else:
        messages.success(request, _("Kept. New jobs are told among these; others stay where they are filed."))
    return redirect("classifier")


@org_page(Action.CLASSIFY, methods=("POST",))
def correction(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Say what a job is about."""
    said = {name: request.POST.get(name, "") for name in ("category", "urgency")}
    try:
        labels.correct(job_id, scope=scope, request=request, **said)
    except JobNotFound as error:
        raise Http404 from error
    except InvalidClassification as error:
        messages.warning(request, " ".join([_("Not corrected."), *(sentence for _, sentence in error.errors)]))
    else:
        messages.success(request, _("Corrected. The classifier learns from it."))
    return redirect("job", job_id)
