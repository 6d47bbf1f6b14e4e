"""What a person does to jobs from the pages. Each is a POST, and answers with the page he came from."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from jobs.errors import IllegalMove, InvalidJob, InvalidPayload, JobNotFound
from jobs.pages.filters import PAGE_SIZES
from jobs.pages.job import get_job_for
from jobs.queue.control import cancel, replay, replay_many
from jobs.strict_json import NotStrict, loads
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.CANCEL, methods=("POST",))
def cancellation(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Cancel one job."""
    try:
        became = cancel(job_id, scope=scope, request=request, reason=request.POST.get("reason", "").strip())
    except JobNotFound as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.warning(request, f"Not cancelled. {error.detail}")
    else:
        words = {"cancelled": "Cancelled.", "cancelling": "The worker is being told to stop."}
        messages.success(request, words[became])
    return redirect("job", job_id)


@org_page(Action.REPLAY, methods=("POST",))
def job_replay(request: HttpRequest, scope: Scope, job_id: UUID) -> HttpResponse:
    """Replay one dead letter, with another payload if the form has one."""
    job = get_job_for(scope, job_id)
    text = request.POST.get("payload")
    try:
        payload = edited_payload(text) if text is not None else None
        replay(job_id, scope=scope, request=request, payload=payload)
    except (NotStrict, InvalidPayload, InvalidJob) as error:
        context = {"job": job, "text": text, "faults": faults(error)}
        return render(request, "jobs/replay.html", context, status=400)
    except IllegalMove as error:
        messages.warning(request, f"Not replayed. {error.detail}")
    else:
        messages.success(request, "Replayed: it is queued again.")
    return redirect("job", job_id)


def edited_payload(text: str) -> dict[str, Any]:
    payload = loads(text)
    if not isinstance(payload, dict):
        raise NotStrict("a payload is a JSON object")
    return payload


def faults(error: Exception) -> list[str]:
    if isinstance(error, InvalidPayload | InvalidJob):
        return [f"{pointer or 'payload'}: {sentence}" for pointer, sentence in error.errors]
    return [str(error)]


@org_page(Action.CANCEL, methods=("POST",))
def cancellations(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Cancel the ticked jobs, each on its own: those that have ended meanwhile are counted and left."""
    cancelled = asked = ended = 0
    for job_id in ticked(request):
        try:
            became = cancel(job_id, scope=scope, request=request, reason="selected in the list")
        except (JobNotFound, IllegalMove):
            ended += 1
        else:
            cancelled += became == "cancelled"
            asked += became == "cancelling"
    said = [
        f"{count} {words}."
        for count, words in ((cancelled, "cancelled"), (asked, "being stopped"), (ended, "had ended already"))
        if count
    ]
    tell(request, said)
    return back(request, "/jobs/")


@org_page(Action.REPLAY, methods=("POST",))
def replays(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Replay the ticked jobs that are dead letters."""
    chosen = ticked(request)
    tell_replayed(request, len(chosen), replay_many(chosen, scope=scope, request=request))
    return back(request, "/jobs/")


def tell_replayed(request: HttpRequest, chosen: int, replayed: int) -> None:
    said = [f"{replayed} replayed."] if replayed else []
    left = chosen - replayed
    tell(request, said + ([f"{left} left alone: only failed jobs can be replayed."] if left else []))


def tell(request: HttpRequest, said: list[str]) -> None:
    if said:
        messages.success(request, " ".join(said))
    else:
        messages.info(request, "Nothing was selected.")


def ticked(request: HttpRequest) -> list[UUID]:
    """The ids of the checkboxes; a page's worth at most."""
    words = request.POST.getlist("job")
    if len(words) > max(PAGE_SIZES):
        raise BadRequest("More jobs than a page has.")
    try:
        return list(dict.fromkeys(UUID(word) for word in words))
    except ValueError as error:
        raise BadRequest("A job id is not one.") from error


def back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To where the form was, if that is one of our addresses."""
    place = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(place, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(place if ours else otherwise)
