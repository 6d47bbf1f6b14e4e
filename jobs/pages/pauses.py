"""Pausing a kind of jobs, or the whole organisation, from the pages."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from jobs.errors import InvalidPause, PauseNotFound
from jobs.pages.actions import back
from jobs.pages.queues import refused
from jobs.pages.until import until_of
from jobs.queue.pauses import pause_kind, resume_kind
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.PAUSE, methods=("POST",))
def pause(request: HttpRequest, scope: Scope) -> HttpResponse:
    """None of these jobs starts from now on; without a type none of the organisation (`what=org`)."""
    whole = request.POST.get("what") == "org"
    type, name = ("", "") if whole else (request.POST.get("type", ""), request.POST.get("name", ""))
    reason = request.POST.get("reason", "").strip()
    try:
        if not (type or whole):
            # nothing filled in is not meant as everything
            raise InvalidPause([("/type", _("Which type of jobs?"))])
        pause_kind(type, name, scope=scope, request=request, reason=reason, until=until_of(request.POST))
    except InvalidPause as error:
        return refused(request, error)
    what = f"{type} {name}".strip() if type else scope.org.name
    said = _("%(what)s is paused: running jobs go on, no other starts.")
    messages.success(request, said % {"what": what})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def resume(request: HttpRequest, scope: Scope, pause_id: UUID) -> HttpResponse:
    """These jobs start again."""
    try:
        ended = resume_kind(pause_id, scope=scope, request=request)
    except PauseNotFound as error:
        raise Http404 from error
    what = f"{ended.type} {ended.name}".strip() if ended.type else scope.org.name
    messages.success(request, _("%(what)s goes on.") % {"what": what})
    return back(request, "/queues/")
