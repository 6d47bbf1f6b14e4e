"""The form of what an organisation lets its jobs do; it is on the page of its settings."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from jobs.errors import InvalidJob
from jobs.queue import job_settings
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.MANAGE_ORG, ("POST",))
def change(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Hosts, one a line."""
    lists = {name: request.POST.get(name, "").split() for name in job_settings.HOST_LISTS}
    try:
        job_settings.change(scope=scope, request=request, **lists)
    except InvalidJob as error:
        for pointer, sentence in error.errors[:5]:
            name, _slash, place = pointer[1:].partition("/")
            host = f"{lists[name][int(place)]:.80}: " if place else ""
            messages.error(request, _("Nothing was changed. %(why)s") % {"why": f"{host}{sentence}"})
    else:
        messages.success(request, _("Kept. It counts from the next attempt of each job on."))
    return redirect("settings")
