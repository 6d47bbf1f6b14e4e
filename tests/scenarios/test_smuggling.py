"""Requests that two servers could read in two ways, and headers without end, at a real gunicorn: one answer, no 5xx."""

import json
import socket

import pytest

from jobs.models import Job
from orgs.roles import Role
from tests.factories import make_org
from tests.processes import Fleet
from tests.scenarios.rest import Rest

pytestmark = pytest.mark.django_db(transaction=True)

ADD = json.dumps({"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}})
# A whole request, that a server which reads the one before it too short would take for the next.
HIDDEN = (
    "POST /api/v1/jobs/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}Content-Type: application/json\r\n"
    "Content-Length: {size}\r\n\r\n{body}"
)
SHAPE = {"type", "title", "status", "detail", "instance", "request_id", "errors"}
CASES = {
    "CL.TE": ["Content-Length: {all}", "Transfer-Encoding: chunked"],
    "TE.CL": ["Transfer-Encoding: chunked", "Content-Length: 4"],
    "two lengths": ["Content-Length: 5", "Content-Length: {all}"],
    "a length of two": ["Content-Length: 5, 5"],
    "a signed length": ["Content-Length: +5"],
    "a negative length": ["Content-Length: -1"],
    "a length in hexadecimal": ["Content-Length: 0x5"],
    "TE twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    "TE of no kind": ["Transfer-Encoding: xchunked"],
    "TE in disguise": ["Transfer-Encoding : chunked", "Content-Length: 5"],
    "TE by a tab": ["Transfer-Encoding:\tchunked", "Content-Length: 5"],
    "TE folded": ["X: x\r\n Transfer-Encoding: chunked", "Content-Length: 5"],
    "a header with a line feed only": ["X: x\nTransfer-Encoding: chunked", "Content-Length: 5"],
    "10,000 headers": [*(f"X-{number}: x" for number in range(10_000)), "Content-Length: 5"],
    "a header of a megabyte": ["X: " + "x" * 1_000_000, "Content-Length: 5"],
    "a NUL in a header": ["X: \0", "Content-Length: 5"],
}


def talked(url: str, text: str) -> bytes:
    """All that is answered until the server closes, or is silent."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=2) as talk:
        answer = b""
        try:
            talk.sendall(text.encode("latin-1"))
            while piece := talk.recv(65_536):
                answer += piece
        except (TimeoutError, ConnectionError):
            # closed on us while we went on: it had said what it had to say
            pass
        return answer


def test_what_can_be_read_in_two_ways_is_refused_and_nothing_hides_in_it(fleet: Fleet) -> None:
    rest = Rest(fleet, make_org("acme"), Role.OPERATOR)
    auth = f"Authorization: {rest.headers['Authorization']}\r\n"
    hidden = HIDDEN.format(auth=auth, size=len(ADD), body=ADD)
    body = f"0\r\n\r\n{hidden}"

    for what, headers in CASES.items():
        start = f"POST /api/v1/predict/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}Content-Type: application/json\r\n"
        said = "".join(f"{header.replace('{all}', str(len(body)))}\r\n" for header in headers)
        answer = talked(rest.url, f"{start}{said}\r\n{body}")

        statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert len(statuses) <= 2, (what, answer[:500])
        assert all(400 <= status < 500 for status in statuses), (what, answer[:500])
        assert answer.count(b"application/problem+json") == len(statuses), (what, answer[:500])
        problem = json.loads(answer.rpartition(b"\r\n\r\n")[2])
        assert set(problem) == SHAPE, (what, problem)
        assert problem["status"] == statuses[-1], (what, problem)
        assert not Job.objects.exists(), (what, answer[:1000])
    assert rest.submit("demo.add", a=1, b=2)
