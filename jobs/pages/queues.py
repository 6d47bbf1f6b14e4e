"""The queues of an organisation: what waits in them, who serves them, and pausing."""

from dataclasses import replace
from datetime import timedelta
from zlib import crc32

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.errors import InvalidPause, JobNotFound, VersionChanged
from jobs.handlers import registry
from jobs.models import Pause, Queue
from jobs.pages.actions import back
from jobs.pages.live import org_version, unmoved
from jobs.pages.undo import tell_undoable
from jobs.pages.until import until_of
from jobs.queue.control import order_by, pause, resume
from jobs.queue.queue_control import close, reopen, set_target
from jobs.queue.queue_facts import QueueFacts, facts_of, pauses_of
from jobs.ranking import POLICIES
from jobs.sums import ended_by_queue
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

MOST = 500
GRACE_SECONDS = 2
LONGEST_VERSION = 9
NO_VERSION = -1


@org_page(Action.READ)
def queue_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All queues, live."""
    moves = org_version(scope.org)
    pauses = pauses_of(scope.org)
    rows = queue_rows(scope.org, pauses)
    version = f"{moves}.{version_of(rows, pauses)}"
    if same := unmoved(request, version):
        return same
    context = {
        "rows": rows,
        "whole": next((one for one in pauses if not one.type), None),
        "kinds": [one for one in pauses if one.type],
        "types": registry.types(),
        "version": version,
    }
    return page_or_fragment(request, "jobs/queues.html", "jobs/_queues.html", context)


def queue_rows(org: Org, pauses: list[Pause]) -> list[QueueFacts]:
    queues = Queue.objects.for_org(org).select_related("paused_by", "closed_by").order_by("name")[:MOST]
    ended = ended_by_queue(org)
    return [replace(row, ended=ended.get(row.queue.name, [])) for row in facts_of(list(queues), org, pauses)]


def version_of(rows: list[QueueFacts], pauses: list[Pause]) -> int:
    """Of all that is shown and is no move of a job; what only time changes, to the second digit."""
    facts = [
        (row.queue.name, row.queue.version, row.queue.paused_at, row.workers, row.slots, row.late, row.max_running)
        for row in rows
    ]
    times = [row.empty_seconds and f"{row.empty_seconds:.2g}" for row in rows]
    return crc32(repr((facts, times, [(one.pk, one.paused_at, one.resume_at) for one in pauses])).encode())


@org_page(Action.PAUSE, methods=("POST",))
def queue_policy(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """New jobs of the queue are ordered by it from now on."""
    policy = request.POST.get("policy", "")
    if policy not in ("", *POLICIES):
        messages.error(request, _("There is no such order."))
        return back(request, "/queues/")
    try:
        order_by(name, policy, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    said = _("New jobs of %(name)s are ordered so from now on; those that wait keep their places.")
    messages.success(request, said % {"name": name})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_pause(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """No job of the queue starts from now on."""
    reason = request.POST.get("reason", "").strip()
    try:
        version = pause(name, scope=scope, request=request, reason=reason, until=until_of(request.POST))
    except JobNotFound as error:
        raise Http404 from error
    except InvalidPause as error:
        return refused(request, error)
    text = _("%(name)s is paused: running jobs go on, no other starts.") % {"name": name}
    if settings.UNDO_SECONDS:
        until = timezone.now() + timedelta(seconds=settings.UNDO_SECONDS)
        tell_undoable(request, text, address=f"/queues/{name}/pause/undo/?version={version}", until=until)
    else:
        messages.success(request, text)
    return back(request, "/queues/")


def refused(request: HttpRequest, error: InvalidPause) -> HttpResponse:
    for _pointer, sentence in error.errors:
        messages.error(request, _("Nothing was changed.") + " " + sentence)
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_undo_pause(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """Take back this very pause, while it is the last that was set of the queue, and a few seconds old."""
    word = request.GET.get("version", "")
    version = int(word) if word.isascii() and word.isdigit() and len(word) <= LONGEST_VERSION else NO_VERSION
    # who presses in time is not told that it was too late because of the way there
    seconds = settings.UNDO_SECONDS + GRACE_SECONDS
    try:
        resume(name, scope=scope, request=request, version=version, undo_seconds=seconds)
    except JobNotFound as error:
        raise Http404 from error
    except VersionChanged as error:
        if version == NO_VERSION:
            raise BadRequest(_("The version is missing.")) from error
        messages.warning(request, _("Too late to undo: the pause is over, or older than that."))
    else:
        messages.success(request, _("Undone: %(queue)s goes on.") % {"queue": name})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_resume(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """Jobs of the queue start again."""
    try:
        resume(name, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    messages.success(request, _("%(name)s goes on.") % {"name": name})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_close(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """The queue takes no new jobs, and runs empty."""
    try:
        close(name, scope=scope, request=request, reason=request.POST.get("reason", "").strip())
    except JobNotFound as error:
        raise Http404 from error
    said = _("%(name)s is closed: submits into it are refused, and what is in it runs until it is empty.")
    messages.success(request, said % {"name": name})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_reopen(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """The queue takes new jobs again."""
    try:
        reopen(name, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    messages.success(request, _("%(name)s takes new jobs again.") % {"name": name})
    return back(request, "/queues/")


@org_page(Action.PAUSE, methods=("POST",))
def queue_target(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    """So long a job of the queue may wait; nothing for no target."""
    text = request.POST.get("target_seconds", "").strip()
    try:
        seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
        if text and seconds is None:
            raise InvalidPause([("/target_seconds", _("A number of seconds, or nothing."))])
        set_target(name, seconds, scope=scope, request=request)
    except JobNotFound as error:
        raise Http404 from error
    except InvalidPause as error:
        return refused(request, error)
    messages.success(request, _("The target of %(name)s is set.") % {"name": name})
    return back(request, "/queues/")
