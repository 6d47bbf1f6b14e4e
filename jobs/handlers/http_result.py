"""A response as an http job's result, and what its status means."""

import base64
import codecs
import re
import time
from collections.abc import Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings

from jobs.handlers.exchange import Response
from jobs.handlers.results import json_bytes
from jobs.strict_json import UNSTORABLE

# Such characters are in no text; a body that has them is shown as base64.
NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]")
HEADER_CHARACTERS = 1_000
MARGIN_BYTES = 4_000


def expected_status(status: int, expected: Sequence[int | str]) -> bool:
    return status in expected or f"{status // 100}xx" in expected


def retry_after_seconds(response: Response) -> float | None:
    """Retry-After in seconds or as a date, at most HTTP_RETRY_AFTER_MAX_SECONDS; None when there is none to obey."""
    text = (response.header("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds = float(text)
    else:
        due = timestamp(text)
        if due is None:
            return None
        # By the server's own clock where it tells it.
        seconds = due - (timestamp(response.header("Date") or "") or time.time())
    return min(max(seconds, 0.0), settings.HTTP_RETRY_AFTER_MAX_SECONDS)


def timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def http_result(response: Response, *, url: str, elapsed_ms: int) -> dict[str, Any]:
    """Always within what a result may be: the body gives way."""
    headers = kept_headers(response, settings.RESULT_MAX_BYTES // 4)
    room = max(settings.RESULT_MAX_BYTES - json_bytes(headers) - json_bytes(url) - MARGIN_BYTES, 0)
    body, encoding, cut = kept_body(response, room)
    return {
        "status": response.status,
        "reason": storable(response.reason)[:200],
        "url": url,
        "headers": headers,
        "body": body,
        "encoding": encoding,
        "truncated": response.truncated or cut,
        "elapsed_ms": elapsed_ms,
    }


def kept_headers(response: Response, max_json_bytes: int) -> dict[str, str]:
    """Repeated headers joined, as HTTP allows; none beyond the room there is."""
    kept: dict[str, str] = {}
    for name, value in response.headers:
        name, value = storable(name)[:100], storable(value)[:HEADER_CHARACTERS]
        joined = {**kept, name: f"{kept[name]}, {value}" if name in kept else value}
        if json_bytes(joined) > max_json_bytes:
            break
        kept = joined
    return kept


def kept_body(response: Response, max_json_bytes: int) -> tuple[str, str, bool]:
    """Text where it is text, else base64; which of them; whether something was cut off to fit."""
    text = as_text(response)
    if text is None:
        whole = response.body[: max_json_bytes // 4 * 3]
        return base64.b64encode(whole).decode(), "base64", len(whole) < len(response.body)
    cut = False
    while (size := json_bytes(text)) > max_json_bytes and text:
        text, cut = text[: int(len(text) * 0.95 * max_json_bytes / size)], True
    return text, "text", cut


def as_text(response: Response) -> str | None:
    header = Message()
    header["Content-Type"] = response.header("Content-Type") or ""
    try:
        # A cut may go through the middle of a character: only a whole body must end well.
        decoder = codecs.getincrementaldecoder(header.get_content_charset() or "utf-8")("strict")
        text = decoder.decode(response.body, final=not response.truncated)
    except (LookupError, ValueError):
        return None
    return None if NOT_TEXT.search(text) else text


def storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)
