"""http: one request to a public address, and its response as the result."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers import http_files
from jobs.handlers.addresses import Refused, target
from jobs.handlers.base import Answer, Context, Done, Fail, Handler, Retry, StopReason
from jobs.handlers.exchange import Line, Request, Response, TimeIsUp, Trouble
from jobs.handlers.http_payload import METHODS, body_of, header_faults, headers_of
from jobs.handlers.http_result import expected_status, http_result, retry_after_seconds
from jobs.handlers.schemas import Fault

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 3
# What was meant for one host is not told to the next.
SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|api-?key|password", re.IGNORECASE)
# What decides where a request goes is there to be seen.
SECRET_IN_HOST = re.compile(r"[^/?#]*//[^/?#]*\{\{secret:", re.IGNORECASE)
BODY_HEADERS = {"content-type", "content-encoding", "content-language", "content-location"}


class HttpHandler(Handler):
    type = "http"
    title = gettext_noop("HTTP")
    description = gettext_noop("Sends one HTTP request and keeps the response.")
    secret_fields = ("url", "headers", "body", "json", "form")
    schema = {
        "type": "object",
        "properties": {
            "url": {"type": "string", "minLength": 1, "description": "http or https, at a public address."},
            "method": {"enum": list(METHODS), "default": "GET"},
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": 4_000},
                "maxProperties": 50,
            },
            "body": {"type": "string", "description": "The request's body as text."},
            "json": {"description": "The request's body as JSON; sets Content-Type."},
            "form": {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                },
                "description": "The request's body as form fields; sets Content-Type.",
            },
            "timeout_seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 3_600,
                "description": "For the whole exchange, redirects included.",
            },
            "expect_status": {
                "type": "array",
                "items": {
                    "title": 'a status code or a class like "2xx"',
                    "anyOf": [
                        {"type": "integer", "minimum": 100, "maximum": 599},
                        {"type": "string", "pattern": "^[1-5]xx$"},
                    ],
                },
                "minItems": 1,
                "default": ["2xx"],
                "description": 'Status codes, or classes like "2xx", that count as done.',
            },
            **http_files.PROPERTIES,
        },
        "required": ["url"],
        "additionalProperties": False,
    }

    @property
    def example(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Our own health check: the one address that answers wherever this runs."""
        return {"method": "GET", "url": f"{settings.PUBLIC_URL}/healthz", "expect_status": [200]}

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        found = list(header_faults(payload.get("headers", {})))
        found += http_files.file_faults(payload)
        bodies = [name for name in ("body", "json", "form", "body_artefact") if name in payload]
        found += [(f"/{name}", "Give only one of body, json, form and body_artefact.") for name in bodies[1:]]
        if SECRET_IN_HOST.match(payload["url"]):
            return [*found, ("/url", "A secret cannot be part of the host: put it behind, or in headers or the body.")]
        try:
            target(payload["url"], org_settings)
        except Refused as error:
            found.append(("/url", str(error)))
        return found

    def works_with_files(self, payload: Mapping[str, Any]) -> bool:
        return http_files.has_files(payload)

    def run(self, context: Context) -> Answer:
        wanted = context.payload.get("timeout_seconds", settings.HTTP_TIMEOUT_SECONDS)
        try:
            with Line(context, min(wanted, context.seconds_left())) as line:
                return Call(context, line).answer()
        except Refused as error:
            return Fail(str(error), error_type="AddressRefused")
        except Trouble as error:
            if context.seconds_left() <= 0:
                context.stop(StopReason.TIMEOUT)
            context.check_stopped()
            kind = "HttpTimeout" if isinstance(error, TimeIsUp) else "ConnectionTrouble"
            return Retry(str(error), error_type=kind)


class Call:
    """The request of a job and those it is redirected to."""

    def __init__(self, context: Context, line: Line) -> None:
        self.context = context
        self.line = line
        self.started = time.monotonic()
        self.expected = context.payload.get("expect_status", ["2xx"])
        content_type, body = body_of(context)
        self.request = Request(
            method=context.payload.get("method", "GET"),
            target=target(context.payload["url"], context.org_settings),
            headers=headers_of(context, content_type),
            body=body,
        )

    def answer(self) -> Answer:
        response = self.send()
        for _ in range(MAX_REDIRECTS):
            location = self.redirected_to(response)
            if location is None:
                return self.judged(response)
            try:
                self.request = redirected(self.request, response.status, location, self.context.org_settings)
            except Refused as error:
                return Fail(f"Redirected to {location:.200}: {error}", "AddressRefused", self.result(response))
            response = self.send()
        if self.redirected_to(response) is None:
            return self.judged(response)
        return Fail(f"Redirected more than {MAX_REDIRECTS} times.", "TooManyRedirects", self.result(response))

    def send(self) -> Response:
        request, began = self.request, time.monotonic()
        limit = http_files.response_max_bytes(self.context.payload)
        with http_files.receiver(self.context) as to:
            response = self.line.exchange(request, body_max_bytes=limit, to=to)
        took = round((time.monotonic() - began) * 1000)
        self.context.log(f"{request.method} {request.target.url} answered {response.status} in {took} ms")
        return response

    def redirected_to(self, response: Response) -> str | None:
        """None for an answer; also for a redirect that the job expects as its answer."""
        if response.status not in REDIRECTS or expected_status(response.status, self.expected):
            return None
        return response.header("Location")

    def judged(self, response: Response) -> Answer:
        status = response.status
        if expected_status(status, self.expected):
            return self.done(response)
        result = self.result(response)
        reason = f"{self.request.method} {self.request.target.url} answered {status} {result['reason']}".strip()
        if status == 429 or status >= 500:
            return Retry(reason, retry_after_seconds(response), "HttpStatus", result)
        return Fail(reason, "HttpStatus", result)

    def done(self, response: Response) -> Answer:
        if "save_as" not in self.context.payload:
            return Done(self.result(response))
        if response.truncated:
            text = f"The response has more than {settings.ARTEFACT_FILE_MAX_BYTES} bytes."
            return Fail(text, "ResponseTooLarge", self.result(response))
        artefact = http_files.saved(self.context, response)
        return Done({**self.described(response), "artefact": artefact})

    def result(self, response: Response) -> dict[str, Any]:
        return self.described(http_files.shown(self.context, response))

    def described(self, response: Response) -> dict[str, Any]:
        elapsed_ms = round((time.monotonic() - self.started) * 1000)
        return http_result(response, url=self.request.target.url, elapsed_ms=elapsed_ms)


def redirected(request: Request, status: int, location: str, org_settings: Mapping[str, Any]) -> Request:
    """The request that follows a redirect (RFC 9110, 15.4). Raises Refused."""
    to = target(urljoin(request.target.url, location), org_settings)
    headers = dict(request.headers)
    if to.origin != request.target.origin:
        headers = {name: value for name, value in headers.items() if not SECRET_HEADERS.search(name)}
    becomes_get = status == 303 and request.method != "HEAD"
    if becomes_get or (status in (301, 302) and request.method == "POST"):
        headers = {name: value for name, value in headers.items() if name.lower() not in BODY_HEADERS}
        return Request("GET", to, headers, None)
    return replace(request, target=to, headers=headers)
