"""Structured logs, and the correlation id that ties a request to its jobs, log lines and errors."""

import logging.config
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse

from jobs import tracing
from jobs.handlers.base import running
from jobs.masking import hidden
from orgs.client import client_address

ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# What ends a line, acts on a terminal or cannot be written; and the names of what has lines of its own.
ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LINES = {"exception", "stack"}
QUIET_PATHS = {"/healthz", "/readyz", "/metrics"}

log = structlog.get_logger("smartqueue.requests")


def of_attempt(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Say which attempt the line is of, when it is written while one runs."""
    context = running.get()
    if context is not None:
        event.setdefault("correlation_id", context.correlation_id)
        event.setdefault("job", str(context.job_id))
        event.setdefault("attempt", context.attempt)
    return event


def escaped(text: str, but: str = "") -> str:
    return ACTS.sub(lambda found: found[0] if found[0] in but else ascii(found[0])[1:-1], text)


def on_one_line(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Of lines for people: what is logged may be anybody's, and neither makes a line of its own nor clears the screen.
    JSON escapes it by itself.
    """
    return {
        name: escaped(value) if isinstance(value, str) and name not in LINES else value for name, value in event.items()
    }


def readable(logger: Any, method: str, lines: str) -> str:
    """The same of a traceback, which has lines."""
    return escaped(lines, but="\n\t")


def without_secrets(logger: Any, method: str, line: str) -> str:
    """What the attempts that run in this process must not show is not in its own lines either."""
    return hidden(line)


SHARED: list[Any] = [
    of_attempt,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(options: dict[str, str]) -> None:
    """Django's LOGGING_CONFIG: one handler on stderr, JSON or console lines, for structlog and logging alike."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    json_lines = options["format"] == "json"
    for_programs: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    for_people: list[Any] = [on_one_line, structlog.dev.ConsoleRenderer(colors=False), readable]
    last = [*(for_programs if json_lines else for_people), without_secrets]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                    "foreign_pre_chain": SHARED,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            # 4xx answers are ours to give and are in the request line; 5xx are logged with their traceback.
            "loggers": {"django.request": {"level": "ERROR"}, "django.security": {"level": "ERROR"}},
        }
    )


def trace_of(request: HttpRequest) -> str:
    """The trace that the caller takes part in (W3C Trace Context): http jobs go on with it."""
    found = TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else ""


def answered(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    route = request.resolver_match.route if request.resolver_match else ""
    return {"http.response.status_code": response.status_code, "http.route": route}


class CorrelationMiddleware:
    """Take or make the X-Correlation-ID of a request, log the request with it and send it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Correlation-ID") or request.headers.get("X-Request-ID") or trace_of(request)
        correlation_id = offered if ACCEPTED_ID.fullmatch(offered) else uuid4().hex
        request.correlation_id = correlation_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        started = time.monotonic()
        with tracing.of_request(request.method or "", correlation_id, request.headers.get("traceparent", "")) as note:
            response = self.get_response(request)
            note(failed=response.status_code >= 500, **answered(request, response))
        response["X-Correlation-ID"] = correlation_id
        if request.path not in QUIET_PATHS:
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                milliseconds=round((time.monotonic() - started) * 1000, 1),
                address=client_address(request),
            )
        return response
