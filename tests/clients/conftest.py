"""A server that answers as it is told, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Told(NamedTuple):
    """One answer; a status of 0 is a connection that breaks."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}


class Stub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[Asked] = []
        self.answers: list[Told] = []

    def answer(self, *answers: Told) -> None:
        """These, in this order; the last of them ever after."""
        self.answers.extend(answers)


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def handle_any(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/api/v1/")
        headers = {name.title(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, path, headers, json.loads(text) if text else None))
        answers = self.server.answers
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        if not told.status:
            self.close_connection = True
            return
        body = (
            b"" if told.body is None else told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
        )
        self.send_response(told.status)
        for name, value in {"Content-Length": str(len(body)), **told.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
