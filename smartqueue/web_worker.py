"""gunicorn's threaded worker, whose own refusals are problems too: of what it cannot read, no view ever hears."""

import json
import socket
from http import HTTPStatus
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

PROBLEM_JSON = "application/problem+json"
TITLES = {HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long"}


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """`--worker-class smartqueue.web_worker.WebWorker`."""


def write_problem(sock: socket.socket, status: int, reason: str, detail: str) -> None:
    """In place of gunicorn's page of HTML, for which it has no setting; the body is as smartqueue.errors makes it."""
    # it has 501 for a transfer coding that nobody knows (RFC 9112 6.1 would have it so): to us that is bad input
    known = HTTPStatus.BAD_REQUEST if status == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(status)
    title = TITLES.get(known, known.phrase)
    body = json.dumps(shape(known, title, detail or "Something went wrong.")).encode()
    head = (
        f"HTTP/1.1 {known.value} {title}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin-1") + body)


def shape(status: HTTPStatus, title: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:smartqueue:problem:{title.lower().replace(' ', '_')}",
        "title": title,
        "status": status.value,
        "detail": detail,
        # which path was asked for, and under which id, could not be read
        "instance": "",
        "request_id": "",
        "errors": [],
    }


util.write_error = write_problem
