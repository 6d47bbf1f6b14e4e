"""Every error as one shape: RFC 9457 problem+json for the API, a plain page for people."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from jobs import errors as queue_errors

log = logging.getLogger(__name__)

STATUS_OF: dict[type[queue_errors.QueueError], int] = {
    queue_errors.JobNotFound: 404,
    queue_errors.IllegalMove: 409,
    queue_errors.KeyReused: 422,
    queue_errors.InvalidPayload: 400,
    queue_errors.UnknownJobType: 400,
}
DATABASE_AWAY = (OperationalError, InterfaceError)
RETRY_AFTER_SECONDS = "5"


def problem(
    request: HttpRequest, status: int, detail: str, *, code: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """The body of every non-2xx answer. `errors` name fields by JSON pointer."""
    title = HTTPStatus(status).phrase
    return {
        "type": f"urn:smartqueue:problem:{code or title.lower().replace(' ', '_')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": getattr(request, "correlation_id", ""),
        "errors": errors or [],
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, in our shape; None lets Django (and ProblemMiddleware) see an unexpected one."""
    request = context["request"]
    if isinstance(error, queue_errors.QueueError):
        return queue_problem(error, request)
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    detail, code, fields = described(error, response)
    response.data = problem(request, response.status_code, detail, code=code, errors=fields)
    response.content_type = "application/problem+json"
    return response


def queue_problem(error: queue_errors.QueueError, request: HttpRequest) -> Response:
    status = STATUS_OF.get(type(error), 400)
    fields: list[dict[str, str]] = []
    if isinstance(error, queue_errors.InvalidPayload):
        fields = [
            {"pointer": f"/payload{pointer}", "code": "invalid", "detail": detail} for pointer, detail in error.errors
        ]
    elif isinstance(error, queue_errors.UnknownJobType):
        fields = [{"pointer": "/type", "code": error.code, "detail": error.detail}]
    body = problem(request, status, error.detail, code=error.code, errors=fields)
    return Response(body, status=status, content_type="application/problem+json")


def described(error: Exception, response: Response) -> tuple[str, str, list[dict[str, str]]]:
    """Sentence, code and field errors of a DRF or Django exception."""
    if isinstance(error, exceptions.ValidationError):
        fields = [
            {
                "pointer": "/" + (item.attr or "").replace(".", "/").removeprefix("non_field_errors"),
                "code": item.code,
                "detail": item.detail,
            }
            for item in flatten_errors(error.detail)
        ]
        return "The request is not valid; see errors.", "validation", fields
    if isinstance(error, exceptions.APIException):
        first = flatten_errors(error.detail)[0]
        return str(first.detail), first.code, []
    return HTTPStatus(response.status_code).description or HTTPStatus(response.status_code).phrase, "", []


class ProblemMiddleware:
    """What happens outside DRF: unknown paths, oversize bodies, a lost database, a bug."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            response = self.get_response(request)
        except DATABASE_AWAY:
            response = database_away(request)
        if wants_problem(request) and response.status_code >= 400 and not is_problem(response):
            return replaced(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Before Django's own 500: a lost database is not a bug, and is worth asking again."""
        if isinstance(error, DATABASE_AWAY):
            return database_away(request)
        return None


def wants_problem(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def is_problem(response: HttpResponse) -> bool:
    return response.get("Content-Type", "").startswith("application/problem+json")


def replaced(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The same status and headers with our body in place of an HTML page."""
    status = response.status_code
    detail = HTTPStatus(status).description or HTTPStatus(status).phrase
    fresh = problem_response(request, status, detail)
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in response:
            fresh[name] = response[name]
    return fresh


def problem_response(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    return JsonResponse(problem(request, status, detail), status=status, content_type="application/problem+json")


def database_away(request: HttpRequest) -> HttpResponse:
    log.exception("database away")
    detail = "The database is not answering. Nothing was changed; try again."
    if wants_problem(request):
        response = problem_response(request, 503, detail)
    else:
        response = page(request, 503, detail)
    response["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """An error page that needs no database and no session."""
    context = {
        "status": status,
        "title": HTTPStatus(status).phrase,
        "detail": detail,
        "request_id": getattr(request, "correlation_id", ""),
    }
    return render(request, "error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return answer(request, 413, "The request body is too large.")
    detail = "The request is malformed." if isinstance(exception, SuspiciousOperation) else str(exception)
    return answer(request, 400, detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 403, str(exception) or "Your role does not allow this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, 404, "There is nothing here, or it belongs to another organisation.")


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(request, 500, "Something went wrong on our side. It is logged under the request id.")


def answer(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    return problem_response(request, status, detail) if wants_problem(request) else page(request, status, detail)
