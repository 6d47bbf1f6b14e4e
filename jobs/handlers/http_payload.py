"""An http job's headers and body: what may be sent, and how it is written."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings

from jobs.handlers.base import Context
from jobs.handlers.http_files import given
from jobs.handlers.schemas import Fault, token
from jobs.trace import traceparent

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Headers about the connection rather than the request, and those that only we may set.
RESERVED = {
    *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"),
    *("x-correlation-id", "idempotency-key", "x-smartqueue-attempt"),
}


def header_faults(headers: Mapping[str, str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for name, value in headers.items():
        key = name.lower()
        if not HEADER_NAME.fullmatch(name):
            yield f"/headers{token(name)}", "This is not a header name."
        elif key in RESERVED or key.startswith("proxy-"):
            yield f"/headers{token(name)}", "SmartQueue sets this header itself."
        elif key in seen:
            yield f"/headers{token(name)}", "This header appears twice."
        elif not HEADER_VALUE.fullmatch(value):
            yield f"/headers{token(name)}", "A header's value has no line breaks, control or non-Latin characters."
        seen.add(key)


def headers_of(context: Context, content_type: str | None) -> dict[str, str]:
    """The caller's headers, our own over them, and defaults where he gave none."""
    given = context.payload.get("headers", {})
    defaults = {"User-Agent": f"SmartQueue/{settings.VERSION}", "Accept-Encoding": "identity"}
    # his own, where he takes part in a trace
    defaults["traceparent"] = traceparent(context.correlation_id, f"{context.job_id}/{context.attempt}")
    if content_type:
        defaults["Content-Type"] = content_type
    names = {name.lower() for name in given}
    headers = {name: value for name, value in defaults.items() if name.lower() not in names} | dict(given)
    # The same over all attempts of a job, so that the receiver can drop what it already did.
    headers["Idempotency-Key"] = str(context.job_id)
    headers["X-SmartQueue-Attempt"] = str(context.attempt)
    if HEADER_VALUE.fullmatch(context.correlation_id):
        headers["X-Correlation-ID"] = context.correlation_id
    return headers


def body_of(context: Context) -> tuple[str | None, bytes | Path | None]:
    """Content type, and the bytes or the file that has them. Raises PermanentFailure."""
    payload = context.payload
    if file := given(context):
        return file.content_type, file.path
    if "json" in payload:
        return "application/json", json.dumps(payload["json"], ensure_ascii=False).encode()
    if "form" in payload:
        return "application/x-www-form-urlencoded", urlencode(payload["form"], doseq=True).encode()
    if "body" in payload:
        return "text/plain; charset=utf-8", payload["body"].encode()
    return None, None
