"""One HTTP request and its response over a checked address, within a time that nothing on the wire can stretch."""

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from jobs.handlers.addresses import Target, Unresolved, addresses
from jobs.handlers.base import Context

READ_BYTES = 16_384
# What urllib3, http.client and sockets raise when the other side or the way to it fails; ValueError after a close.
TROUBLES = (HTTPError, http.client.HTTPException, OSError, ValueError)


class Trouble(Exception):
    """No whole response came; the message says why."""


class TimeIsUp(Trouble):
    """No whole response came in time."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: Target
    headers: Mapping[str, str]
    # or the file that has it
    body: bytes | Path | None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    truncated: bool

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Line:
    """The way out of one job: one socket at a time, cut when time is up or the attempt must end."""

    def __init__(self, context: Context, seconds: float) -> None:
        self.context = context
        self.ends_at = time.monotonic() + seconds
        self.seconds = seconds
        self._cut = threading.Event()
        self._lock = threading.Lock()
        self._breaker: socket.socket | None = None
        # The socket's own timeout starts anew with each byte; this does not.
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        self.context.on_stop(self.cut)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        self.hold(None)

    def cut(self) -> None:
        """End whatever the socket is doing; from any thread."""
        with self._lock:
            self._cut.set()
            if self._breaker is not None:
                with contextlib.suppress(OSError):
                    self._breaker.shutdown(socket.SHUT_RDWR)

    def seconds_left(self) -> float:
        return max(self.ends_at - time.monotonic(), 0.001)

    def exchange(self, request: Request, *, body_max_bytes: int, to: IO[bytes] | None = None) -> Response:
        """Into `to` goes the body, where it is given. Raises Refused, Trouble, TimeIsUp, Stopped."""
        try:
            with self.open(request.target) as opened:
                connection = over(opened, request.target, self.seconds_left())
                try:
                    with content_of(request) as (body, headers):
                        connection.request(request.method, request.target.path, body, headers, preload_content=False)
                    response = received(connection.getresponse(), body_max_bytes, to)
                finally:
                    connection.close()
            # A body without a length ends with its connection, also when it was we who cut it.
            self.check_cut()
            return response
        except (Unresolved, *TROUBLES) as error:
            self.context.check_stopped()
            if self.is_cut:
                raise TimeIsUp(f"No whole response within {self.seconds:g} s.") from error
            words = str(error) if isinstance(error, Unresolved) else f"{type(error).__name__}: {error}"
            raise Trouble(words[:500]) from error

    def open(self, to: Target) -> socket.socket:
        """A socket connected to one of the host's checked addresses."""
        trouble = OSError("the host has no address")
        for family, where in addresses(to, self.context, self.seconds_left()):
            opened = socket.socket(family, socket.SOCK_STREAM)
            try:
                # Shares the connection, not the object: TLS takes that over, and closing it is not thread-safe.
                self.hold(opened.dup())
                opened.settimeout(min(settings.HTTP_CONNECT_SECONDS, self.seconds_left()))
                opened.connect(where)
                return opened
            except OSError as error:
                opened.close()
                trouble = error
        raise trouble

    def hold(self, breaker: socket.socket | None) -> None:
        """What cut() cuts from now on."""
        with self._lock:
            if self._breaker is not None:
                self._breaker.close()
            self._breaker = breaker
        if breaker is not None:
            self.check_cut()

    @property
    def is_cut(self) -> bool:
        """Whether time is up, or the attempt must end."""
        return self._cut.is_set() or time.monotonic() >= self.ends_at

    def check_cut(self) -> None:
        if self._cut.is_set():
            raise OSError("cut")


@contextlib.contextmanager
def content_of(request: Request) -> Iterator[tuple[bytes | IO[bytes] | None, Mapping[str, str]]]:
    """The body as it is sent, with its length: a file is not chunked, which some servers do not take."""
    if not isinstance(request.body, Path):
        yield request.body, request.headers
        return
    with request.body.open("rb") as file:
        yield file, {**request.headers, "Content-Length": str(request.body.stat().st_size)}


class Plain(HTTPConnection):
    """urllib3's connection over a socket that is already there, so that it looks up nothing itself."""

    opened: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.opened


class Tls(HTTPSConnection):
    """The same, with the host's own name in SNI and the certificate."""

    opened: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.opened


def over(opened: socket.socket, to: Target, timeout: float) -> Plain | Tls:
    opened.settimeout(timeout)
    connection: Plain | Tls
    if to.scheme == "https":
        connection = Tls(to.host, to.port, timeout=timeout, ssl_context=trust(settings.HTTP_CA_FILE))
    else:
        connection = Plain(to.host, to.port, timeout=timeout)
    connection.opened = opened
    return connection


@cache
def trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def received(response: BaseHTTPResponse, body_max_bytes: int, to: IO[bytes] | None) -> Response:
    """The response, with as much of its body as is wanted; the rest is not read."""
    body, size = io.BytesIO(), 0
    for chunk in response.stream(READ_BYTES, decode_content=True):
        (to or body).write(chunk[: body_max_bytes - size])
        size += len(chunk)
        if size > body_max_bytes:
            break
    return Response(
        status=response.status,
        reason=response.reason or "",
        headers=list(response.headers.items()),
        body=body.getvalue(),
        truncated=size > body_max_bytes,
    )
