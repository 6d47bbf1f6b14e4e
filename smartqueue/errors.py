"""Every error as one shape: RFC 9457 problem+json for the API, a plain page for people."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from jobs import errors as queue_errors
from jobs.api import faults
from jobs.queue.session import cause
from orgs.errors import RateLimited

log = logging.getLogger(__name__)

STATUS_OF: dict[type[queue_errors.QueueError], int] = {
    queue_errors.QueueError: 400,
    queue_errors.JobNotFound: 404,
    queue_errors.IllegalMove: 409,
    queue_errors.LeaseLost: 409,
    queue_errors.LeaseNotFound: 404,
    queue_errors.NotLeader: 409,
    queue_errors.KeyReused: 422,
    queue_errors.InvalidJob: 400,
    queue_errors.InvalidClassification: 400,
    queue_errors.InvalidPayload: 400,
    queue_errors.UnknownJobType: 400,
    queue_errors.BatchRefused: 400,
    queue_errors.ModelNotFound: 404,
    queue_errors.LimitNotFound: 404,
    queue_errors.InvalidLimit: 400,
    queue_errors.PauseNotFound: 404,
    queue_errors.WorkerNotFound: 404,
    queue_errors.WorkerGone: 409,
    queue_errors.QueueClosed: 409,
    queue_errors.InvalidPause: 400,
    queue_errors.ScheduleNotFound: 404,
    queue_errors.ViewNotFound: 404,
    queue_errors.ViewShared: 403,
    queue_errors.NoMember: 409,
    queue_errors.InvalidView: 400,
    queue_errors.ErrorGroupNotFound: 404,
    queue_errors.NameTaken: 409,
    queue_errors.InvalidSchedule: 400,
    queue_errors.BulkNotFound: 404,
    queue_errors.BulkOver: 409,
    queue_errors.CountChanged: 409,
    queue_errors.InvalidBulk: 400,
    queue_errors.SubscriberNotFound: 404,
    queue_errors.DeliveryNotFound: 404,
    queue_errors.InvalidSubscriber: 400,
    queue_errors.AlertRuleNotFound: 404,
    queue_errors.InvalidAlertRule: 400,
    queue_errors.VersionChanged: 412,
    queue_errors.VersionNeeded: 428,
    queue_errors.ArtefactNotFound: 404,
    queue_errors.InvalidArtefact: 400,
    queue_errors.CutOff: 400,
    queue_errors.ArtefactTooLarge: 413,
    queue_errors.QuotaExceeded: 403,
    queue_errors.QueueFull: 429,
    queue_errors.SchedulesFull: 403,
    queue_errors.NoRoom: 403,
}
DATABASE_AWAY = (OperationalError, InterfaceError)
RETRY_AFTER_SECONDS = "5"
# Below what gunicorn takes, so that the answer is ours.
ADDRESS_MAX_CHARACTERS = 4_000
# There the view reads what the server gives it, to the end that the server sees.
TAKES_CHUNKS = {"/api/v1/artefacts/"}
PROBLEM_JSON = "application/problem+json"
# The names of RFC 9110, which Python knows from 3.13 on.
TITLES = {
    413: gettext_noop("Content Too Large"),
    414: gettext_noop("URI Too Long"),
    422: gettext_noop("Unprocessable Content"),
}
# Those of Python that a page can have, for the catalogues.
PAGE_TITLES = (
    gettext_noop("Bad Request"),
    gettext_noop("Forbidden"),
    gettext_noop("Not Found"),
    gettext_noop("Length Required"),
    gettext_noop("Too Many Requests"),
    gettext_noop("Internal Server Error"),
    gettext_noop("Service Unavailable"),
)
ROLE_FORBIDS = gettext_noop("Your role does not allow this.")
NOT_FOUND = gettext_noop("There is nothing here, or it belongs to another organisation.")


def problem(
    request: HttpRequest, status: int, detail: str, *, code: str = "", errors: list[faults.Fault] | None = None
) -> dict[str, Any]:
    """The body of every non-2xx answer. `errors` name fields by JSON pointer."""
    return {
        "type": f"urn:smartqueue:problem:{code or title(status).lower().replace(' ', '_')}",
        "title": title(status),
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": getattr(request, "correlation_id", ""),
        "errors": errors or [],
    }


def title(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, in our shape; None lets Django (and ProblemMiddleware) see an unexpected one."""
    request = context["request"]
    # whatever else the view renders, such as YAML
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    if isinstance(error, queue_errors.QueueError):
        body = problem(
            request, STATUS_OF[type(error)], error.detail, code=error.code, errors=faults.first(faults.of_error(error))
        )
        headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, queue_errors.QueueFull) else None
        return Response(body | error.members, status=body["status"], content_type=PROBLEM_JSON, headers=headers)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    detail, code, fields = described(error)
    response.data = problem(request, response.status_code, detail, code=code, errors=fields) | getattr(
        error, "members", {}
    )
    response.content_type = PROBLEM_JSON
    return response


def described(error: Exception) -> tuple[str, str, list[faults.Fault]]:
    """Sentence, code and field errors of whatever DRF's handler answers."""
    if isinstance(error, Http404):
        return NOT_FOUND, "not_found", []
    if isinstance(error, PermissionDenied):
        return str(error) or ROLE_FORBIDS, getattr(error, "code", "permission_denied"), []
    assert isinstance(error, exceptions.APIException)
    found = faults.first(faults.of_detail(error.detail))
    if isinstance(error, exceptions.ValidationError):
        return "The request is not valid; see errors.", "validation", found
    return found[0]["detail"], found[0]["code"], []


class ProblemMiddleware:
    """What happens outside DRF: unknown paths, oversize bodies, a lost database, a bug."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            response = unreadable(request) or self.get_response(request)
        except DATABASE_AWAY as error:
            response = database_away(request, error)
        if wants_problem(request) and response.status_code >= 400 and not is_problem(response):
            return replaced(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Before Django's own 500: a lost database is not a bug, and is worth asking again. Nor is it one to ask too
        often, which the views of the API say by themselves."""
        if isinstance(error, DATABASE_AWAY):
            return database_away(request, error)
        if isinstance(error, RateLimited):
            response = answer(request, error.status_code, str(error.detail))
            response["Retry-After"] = str(error.wait)
            return response
        return None


def unreadable(request: HttpRequest) -> HttpResponse | None:
    """Why a request cannot be read as it was sent, or None."""
    if len(request.get_full_path()) > ADDRESS_MAX_CHARACTERS:
        return answer(request, 414, f"The address is longer than {ADDRESS_MAX_CHARACTERS} characters.")
    # Django reads as many bytes as were announced: it would take a chunked body for an empty one
    if request.path in TAKES_CHUNKS and request.META.get("wsgi.input_terminated"):
        return None
    if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
        return answer(request, 411, gettext_noop("Send the body with a Content-Length, not in chunks."))
    return None


def wants_problem(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def is_problem(response: HttpResponse) -> bool:
    return response.get("Content-Type", "").startswith(PROBLEM_JSON)


def replaced(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The same status and headers with our body in place of an HTML page."""
    status = response.status_code
    detail = HTTPStatus(status).description or title(status)
    fresh = problem_response(request, status, detail)
    for name in ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range"):
        if name in response:
            fresh[name] = response[name]
    # Django logs each error response once, by this mark
    fresh._has_been_logged = getattr(response, "_has_been_logged", False)  # type: ignore[attr-defined]
    return fresh


def problem_response(request: HttpRequest, status: int, detail: str, code: str = "") -> HttpResponse:
    return JsonResponse(problem(request, status, detail, code=code), status=status, content_type=PROBLEM_JSON)


def database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """The connection may have gone while the commit was under way, so nobody can say that nothing was changed."""
    log.exception("database away")
    if refused := cause(error):
        return answer(request, 503, str(refused), code=refused.code)
    detail = gettext_noop(
        "The database is not answering, so it is not known whether this was done. Ask again; "
        "a submit with an Idempotency-Key is then stored once."
    )
    response = answer(request, 503, detail, code="database_away")
    response["Retry-After"] = RETRY_AFTER_SECONDS
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """An error page that needs no database and no session: no context processor runs. What it says is put into the
    language of the page here; the API has it as it is."""
    context = {
        "request": request,
        "status": status,
        "title": _(title(status)),
        "detail": _(detail) if detail else "",
        "request_id": getattr(request, "correlation_id", ""),
    }
    return HttpResponse(render_to_string("error.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return answer(request, 413, gettext_noop("The request body is too large."), code="body_too_large")
    detail = gettext_noop("The request is malformed.") if isinstance(exception, SuspiciousOperation) else str(exception)
    return answer(request, 400, detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 403, str(exception) or ROLE_FORBIDS, code=getattr(exception, "code", "permission_denied"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 404, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(request, 500, gettext_noop("Something went wrong on our side. It is logged under the request id."))


def answer(request: HttpRequest, status: int, detail: str, code: str = "") -> HttpResponse:
    if wants_problem(request):
        return problem_response(request, status, detail, code)
    return page(request, status, detail)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: Django's own page has a style of its own, which our policy does not let in."""
    return answer(
        request, 403, gettext_noop("The form was too old, or not ours. Reload the page and send it again."), code="csrf"
    )
