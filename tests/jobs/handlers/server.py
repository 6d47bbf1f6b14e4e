"""A real HTTP server on loopback that counts what it is asked."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.test import override_settings


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """`on(path, ...)` says what it answers; everything else is 404."""

    http: http.server.ThreadingHTTPServer
    scheme: str = "http"
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Callable[["Exchange"], None]] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return self.http.server_port

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def hits(self) -> int:
        return len(self.asked)

    def on(self, path: str, status: int = 200, body: bytes | str = b"", headers: dict[str, str] | None = None) -> str:
        """Answer a path like this; returns its URL."""
        content = body.encode() if isinstance(body, str) else body
        return self.do(path, lambda exchange: exchange.answer(status, content, headers or {}))

    def do(self, path: str, action: Callable[["Exchange"], None]) -> str:
        self.answers[path] = action
        return self.url + path


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ours: Server

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.close_connection = True
        self.ours.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        action = self.ours.answers.get(self.path.partition("?")[0])
        # The client may have gone.
        with suppress(OSError):
            action(self) if action else self.answer(404, b"nothing here", {})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drip(self, chunk: bytes, every_seconds: float) -> None:
        """Send a little, for ever."""
        while not self.ours.closing.wait(every_seconds):
            self.wfile.write(chunk)
            self.wfile.flush()

    def log_message(self, *args: Any) -> None: ...


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is what several tests are about."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that http jobs may reach while it lasts."""
    exchange = type("OwnExchange", (Exchange,), {})
    quiet = QuietServer(("127.0.0.1", 0), exchange)
    if tls:
        quiet.socket = tls.wrap_socket(quiet.socket, server_side=True)
    server = Server(quiet, "https" if tls else "http")
    exchange.ours = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=quiet.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    with override_settings(HTTP_ALLOW_HOSTS=[*settings.HTTP_ALLOW_HOSTS, server.authority]):
        yield server
    server.closing.set()
    quiet.shutdown()
    quiet.server_close()
    thread.join()
