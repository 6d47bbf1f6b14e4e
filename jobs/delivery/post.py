"""One try to deliver to a webhook: a signed POST to a checked address. No redirect is followed."""

import json
import time
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs import tracing
from jobs.delivery.letters import Letter, Report
from jobs.delivery.signing import opened, signed
from jobs.handlers.addresses import Refused, target
from jobs.handlers.base import Context, Stopped
from jobs.handlers.exchange import Line, Request, Response, Trouble
from jobs.handlers.http_payload import HEADER_VALUE
from jobs.handlers.http_result import retry_after_seconds, storable
from jobs.masking import MASK
from jobs.models import Delivery
from jobs.trace import traceparent
from orgs.crypto import Unsealable

GONE = 410


class Silent:
    """Nobody follows a delivery while it is made."""

    def log(self, stream: str, text: str) -> None: ...
    def progress(self, fraction: float, message: str) -> None: ...
    def artefact(self, name: str, data: bytes, content_type: str) -> str:
        raise NotImplementedError

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        raise NotImplementedError

    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str:
        raise NotImplementedError

    def copy_artefact(self, artefact_id: str, to: Path) -> Any:
        raise NotImplementedError


def errand(letter: Letter) -> Context:
    """What can be stopped of a delivery under way."""
    return Context(
        job_id=letter.id,
        attempt=letter.attempt,
        org="",
        type="webhook",
        name=letter.event,
        payload={},
        correlation_id=letter.correlation_id,
        timeout_seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
        org_settings={},
        reporter=Silent(),
    )


def post(letter: Letter, context: Context) -> Report:
    """Raises nothing that belongs to the receiver or the way to it."""
    job_id = (letter.data.get("job") or {}).get("id", "")
    with tracing.of_delivery(letter.event, letter.correlation_id, f"{letter.id}/{letter.attempt}", job_id) as note:
        report = exchanged(letter, context)
        note(failed=not report.delivered, **({"http.response.status_code": report.status} if report.status else {}))
    return report


def exchanged(letter: Letter, context: Context) -> Report:
    started = time.monotonic()
    try:
        # looked at again each time: what the operator allows, and what the name leads to, can have changed
        request = request_of(letter)
        with Line(context, settings.WEBHOOK_TIMEOUT_SECONDS) as line:
            report = judged(line.exchange(request, body_max_bytes=settings.WEBHOOK_BODY_MAX_BYTES))
    except Stopped:
        return Report(stopped=True)
    except Unsealable:
        report = Report(error="The signing secret cannot be read: its key is not among ENCRYPTION_KEYS.")
    except (Refused, Trouble) as error:
        report = Report(error=storable(str(error)))
    return report._replace(duration_ms=(time.monotonic() - started) * 1_000)


def request_of(letter: Letter) -> Request:
    body = message(letter.event, letter.happened_at, letter.data)
    keys = [opened(secret, letter.subscriber_id) for secret in (letter.secret, letter.previous_secret) if secret]
    headers = headers_of(letter, signed(letter.id, letter.sent_at, body, keys))
    return Request("POST", target(letter.url), headers, body.encode())


def headers_of(sent: Letter | Delivery, signature: dict[str, str]) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"SmartQueue/{settings.VERSION}",
        "Accept-Encoding": "identity",
        **signature,
    }
    if sent.correlation_id and HEADER_VALUE.fullmatch(sent.correlation_id):
        headers["X-Correlation-ID"] = sent.correlation_id
        headers["traceparent"] = traceparent(sent.correlation_id, f"{sent.id}/{sent.attempt}")
    return headers


def sent_as(delivery: Delivery) -> dict[str, Any]:
    """The request of a delivery as people may see it: who holds its signature could send it to the receiver again."""
    last = delivery.last_attempt_at
    signature = {
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(int(last.timestamp())) if last else "",
        "webhook-signature": f"v1,{MASK}",
    }
    happened_at = delivery.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "method": "POST",
        "url": delivery.subscriber.target,
        "headers": {name: value for name, value in headers_of(delivery, signature).items() if value},
        "body": message(delivery.event, happened_at, delivery.data),
    }


def message(event: str, happened_at: str, data: Any) -> str:
    """The body, the same however often it is sent."""
    return json.dumps({"type": event, "timestamp": happened_at, "data": data}, separators=(",", ":"))


def judged(response: Response) -> Report:
    status = response.status
    kept = storable(response.body.decode("utf-8", "replace"))
    if 200 <= status < 300:
        return Report(delivered=True, status=status, body=kept)
    why = "A redirect, which is not followed." if 300 <= status < 400 else "No 2xx status."
    retry_after = retry_after_seconds(response) if status in (429, 503) else None
    return Report(status=status, body=kept, error=why, retry_after=retry_after, gone=status == GONE)
