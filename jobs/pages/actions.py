"""What a person does to jobs from the pages. Each is a POST, and answers with the page he came from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from jobs.errors import IllegalMove, InvalidJob, InvalidPayload, JobNotFound, QueueFull
from jobs.pages.bulk_words import begun, soon
from jobs.pages.filters import PAGE_SIZES
from jobs.pages.job import get_job_for
from jobs.pages.undo import tell_undoable
from jobs.queue.bulk import Asked, start
from jobs.queue.bulk_kinds import KINDS
from jobs.queue.control import cancel, replay, replay_many
from jobs.queue.delete import delete
from jobs.spoken import spoken
from jobs.states import TERMINAL
from jobs.strict_json import NotStrict, loads
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.CANCEL, methods=("POST",))
def cancellation(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Cancel one job: in a moment, where that can be undone until then."""
    if settings.UNDO_SECONDS:
        job = get_job_for(scope, job_id)
        if job.state in TERMINAL:
            messages.warning(request, _("Not cancelled. The job is %(state)s.") % {"state": spoken(job.state)})
        else:
            soon_done(request, scope, "cancel", [job_id], reason=request.POST.get("reason", "").strip())
        return redirect("job", job_id)
    try:
        became = cancel(job_id, scope=scope, request=request, reason=request.POST.get("reason", "").strip())
    except JobNotFound as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.warning(request, _("Not cancelled. %(why)s") % {"why": error.detail})
    else:
        words = {"cancelled": _("Cancelled."), "cancelling": _("The worker is being told to stop.")}
        messages.success(request, words[became])
    return redirect("job", job_id)


def soon_done(
    request: HttpRequest,
    scope: Scope,
    kind: str,
    ids: Sequence[UUID],
    parameters: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Have it done to these jobs, and say so: with the way back while there is one. Raises InvalidBulk."""
    undo_seconds = settings.UNDO_SECONDS if KINDS[kind].undoable else 0
    asked = Asked(kind, ids=ids, parameters=parameters or {}, reason=reason, undo_seconds=undo_seconds)
    made = start(asked, scope=scope, counted=None, request=request)
    if undo_seconds:
        text = soon(kind, len(ids), undo_seconds)
        tell_undoable(request, text, address=f"/bulk-operations/{made.pk}/stop/", until=made.start_at)
    else:
        messages.success(request, begun(kind, len(ids)))


@org_page(Action.DELETE, methods=("POST",))
def deletion(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Delete one job that has ended: in a moment, where that can be undone until then."""
    job = get_job_for(scope, job_id)
    if job.state not in TERMINAL:
        messages.warning(
            request,
            _("Not deleted. The job is %(state)s: only one that has ended can be.") % {"state": spoken(job.state)},
        )
        return redirect("job", job_id)
    if settings.UNDO_SECONDS:
        soon_done(request, scope, "delete", [job_id], reason=request.POST.get("reason", ""))
        return redirect("jobs")
    try:
        delete(job_id, scope=scope, request=request)
    except (JobNotFound, IllegalMove) as error:
        messages.warning(request, _("Not deleted. %(why)s") % {"why": error.detail})
        return redirect("job", job_id)
    messages.success(request, _("Deleted."))
    return redirect("jobs")


@org_page(Action.REPLAY, methods=("POST",))
def job_replay(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Replay one dead letter, with another payload if the form has one."""
    job = get_job_for(scope, job_id)
    text = request.POST.get("payload")
    try:
        payload = edited_payload(text) if text is not None else None
        replay(job_id, scope=scope, request=request, payload=payload, reason=request.POST.get("reason", "").strip())
    except (NotStrict, InvalidPayload, InvalidJob) as error:
        context = {"job": job, "text": text, "faults": faults(error)}
        return render(request, "jobs/replay.html", context, status=400)
    except (IllegalMove, QueueFull) as error:
        messages.warning(request, _("Not replayed. %(why)s") % {"why": error.detail})
    else:
        messages.success(request, _("Replayed: it is queued again."))
    return redirect("job", job_id)


def edited_payload(text: str) -> dict[str, Any]:
    payload = loads(text)
    if not isinstance(payload, dict):
        raise NotStrict(_("a payload is a JSON object"))
    return payload


def faults(error: Exception) -> list[str]:
    if isinstance(error, InvalidPayload | InvalidJob):
        return [f"{pointer or 'payload'}: {sentence}" for pointer, sentence in error.errors]
    return [str(error)]


@org_page(Action.CANCEL, methods=("POST",))
def cancellations(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Cancel the ticked jobs, each on its own: those that have ended meanwhile are counted and left."""
    if settings.UNDO_SECONDS and (chosen := ticked(request)):
        soon_done(request, scope, "cancel", chosen, reason="selected in the list")
        return back(request, "/jobs/")
    cancelled = asked = ended = 0
    for job_id in ticked(request):
        try:
            became = cancel(job_id, scope=scope, request=request, reason="selected in the list")
        except (JobNotFound, IllegalMove):
            ended += 1
        else:
            cancelled += became == "cancelled"
            asked += became == "cancelling"
    told = (
        (cancelled, _("%(count)s cancelled.")),
        (asked, _("%(count)s being stopped.")),
        (ended, _("%(count)s had ended already.")),
    )
    tell(request, [words % {"count": count} for count, words in told if count])
    return back(request, "/jobs/")


@org_page(Action.REPLAY, methods=("POST",))
def replays(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Replay the ticked jobs that are dead letters."""
    chosen = ticked(request)
    reason = request.POST.get("replay_reason", "").strip()
    done = replay_many(chosen, scope=scope, request=request, reason=reason)
    tell_replayed(request, len(chosen), len(done.ids), done.full, len(done.refused))
    return back(request, "/jobs/")


def tell_replayed(request: HttpRequest, chosen: int, replayed: int, full: QueueFull | None, refused: int) -> None:
    said = [_("%(count)s replayed.") % {"count": replayed}] if replayed else []
    if full:
        said.append(_("%(count)s not replayed. %(why)s") % {"count": refused, "why": full.detail})
    left = chosen - replayed - refused
    if left:
        said.append(_("%(count)s left alone: only failed jobs can be replayed.") % {"count": left})
    tell(request, said)


def tell(request: HttpRequest, said: list[str]) -> None:
    if said:
        messages.success(request, " ".join(said))
    else:
        messages.info(request, _("Nothing was selected."))


def ticked(request: HttpRequest) -> list[UUID]:
    """The ids of the checkboxes; a page's worth at most."""
    words = request.POST.getlist("job")
    if len(words) > max(PAGE_SIZES):
        raise BadRequest(_("More jobs than a page has."))
    try:
        return list(dict.fromkeys(UUID(word) for word in words))
    except ValueError as error:
        raise BadRequest(_("A job id is not one.")) from error


def back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To where the form was, if that is one of our addresses."""
    place = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(place, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(place if ours else otherwise)
