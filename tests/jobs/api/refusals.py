"""What the tests of bad input share: a good submit, and what every refusal must look like."""

import json
from typing import Any

from django.http import HttpResponse

JOBS = "/api/v1/jobs/"
# What a problem says besides, where something is full.
OF_QUOTAS = {"quota", "limit", "used"}
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def assert_refused(response: HttpResponse, *statuses: int) -> dict[str, Any]:
    assert response.status_code in (statuses or (400,)), response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert set(body) - OF_QUOTAS == {"type", "title", "status", "detail", "instance", "request_id", "errors"}
    assert body["status"] == response.status_code
    assert body["type"].startswith("urn:smartqueue:problem:")
    assert body["request_id"] == response["X-Correlation-ID"]
    assert body["detail"]
    for error in body["errors"]:
        assert set(error) == {"pointer", "code", "detail"}
    assert "Traceback" not in response.content.decode()
    assert "psycopg" not in response.content.decode()
    return body
