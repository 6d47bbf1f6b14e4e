"""What a person changes about a job that waits, from its page. Each is a POST, and answers with that page."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from jobs.errors import IllegalMove, InvalidJob, JobNotFound
from jobs.queue import change
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.CHANGE, methods=("POST",))
def job_snooze(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Put it off: for so many seconds, or until a time, which is in UTC."""
    until = moment(request.POST.get("until", ""))
    seconds = None if until else number(request.POST.get("seconds", ""))

    def act() -> str:
        due = change.snooze(
            job_id, scope=scope, request=request, until=until, seconds=seconds, reason=reason_of(request)
        )
        return _("Snoozed: it is due at %(time)s UTC.") % {"time": due.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")}

    return changed(request, job_id, act)


@org_page(Action.CHANGE, methods=("POST",))
def job_run_now(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Queue a scheduled one at once."""

    def act() -> str:
        change.run_now(job_id, scope=scope, request=request, reason=reason_of(request))
        return _("Queued: it no longer waits for its time.")

    return changed(request, job_id, act)


@org_page(Action.CHANGE, methods=("POST",))
def job_change(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Another urgency, another queue, or both."""
    urgency, queue = (request.POST.get(name, "").strip() for name in ("urgency", "queue"))

    def act() -> str:
        change.change(job_id, scope=scope, request=request, reason=reason_of(request), urgency=urgency, queue=queue)
        return _("Changed: it has the place that goes with it.")

    return changed(request, job_id, act)


def changed(request: HttpRequest, job_id: UUID, act: Callable[[], str]) -> HttpResponse:
    try:
        said = act()
    except JobNotFound as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.warning(request, _("Not changed. %(why)s") % {"why": error.detail})
    except InvalidJob as error:
        faults = " ".join(f"{pointer.strip('/')}: {sentence}" for pointer, sentence in error.errors)
        messages.error(request, _("Not changed. %(why)s") % {"why": faults})
    else:
        messages.success(request, said)
    return redirect("job", job_id)


def reason_of(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()


def moment(text: str) -> datetime | None:
    """What a field for a time sends, in UTC; None where it is empty or none."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC) if found else None


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
