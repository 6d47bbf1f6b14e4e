"""A server that says again, in all ways there are, what it is told."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote


class Echo(BaseHTTPRequestHandler):
    asked: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        told = f"{self.requestline}\n{self.headers}\n{body.decode()}"
        self.asked.append(told)
        status = 404 if self.path.startswith("/missing") else 500 if self.path.startswith("/broken") else 200
        said = json.dumps({"told": told, "again": base64.b64encode(told.encode()).decode()}).encode()
        if self.path.startswith("/bytes"):
            said = b"\0\1\2" + told.encode()
        if self.path.startswith("/moved"):
            status = 302
        self.send_response(status, f"Reason {self.headers['X-Secret']}")
        self.send_header("Location", f"/there?back={quote(self.headers['X-Secret'])}")
        self.send_header("X-Echo", self.headers["X-Secret"])
        self.send_header("Set-Cookie", f"session={self.headers['X-Secret']}")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def echo() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was told."""
    asked: list[str] = []
    handler = type("OneEcho", (Echo,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
