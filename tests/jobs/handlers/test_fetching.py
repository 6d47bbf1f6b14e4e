"""Files from the web for types that read them: capped, guarded, cut when the attempt must end."""
# ruff: noqa: S104 addresses are named here to be refused

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers.base import Context, PermanentFailure, Stopped, StopReason, TemporaryFailure
from jobs.handlers.fetching import fetch, last_part
from tests.jobs.handlers.fakes import make_context, reported
from tests.jobs.handlers.server import Server
from tests.jobs.handlers.test_http_addresses import Listener, listener

__all__ = ["listener"]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return make_context("etl", {}, folder=tmp_path)


def test_a_file_comes_into_the_folder_whole(server: Server, context: Context) -> None:
    url = server.on("/a/Table%201.csv", body=b"a,b\n" * 50_000, headers={"Content-Type": "Text/CSV; charset=utf-8"})

    given = fetch(context, url + "?token=x", "in")

    assert given == (context.path("in"), "Table-1.csv", "text/csv")
    assert given.path.read_bytes() == b"a,b\n" * 50_000
    (asked,) = server.asked
    assert (asked.method, asked.headers["Accept-Encoding"]) == ("GET", "identity")
    assert "answered 200" in reported(context).of("log")[0]


def test_what_is_too_large_is_final_and_cut_off(server: Server, context: Context, settings: Settings) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = 1_000
    exact, more = server.on("/exact", body=b"x" * 1_000), server.on("/more", body=b"x" * 1_001)

    assert fetch(context, exact, "in").path.stat().st_size == 1_000
    with pytest.raises(PermanentFailure, match="more than 1000 bytes"):
        fetch(context, more, "in2")
    with pytest.raises(PermanentFailure, match="more than 10 bytes"):
        fetch(context, exact, "in3", max_bytes=10)

    assert context.path("in2").stat().st_size == 1_000


def test_an_endless_file_ends_at_its_cap(server: Server, context: Context) -> None:
    def endless(exchange: Any) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        exchange.drip(b"x" * 10_000, 0)

    with pytest.raises(PermanentFailure, match="more than"):
        fetch(context, server.do("/endless", endless), "in", max_bytes=100_000)

    assert context.path("in").stat().st_size == 100_000


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410])
def test_another_answer_is_final(server: Server, context: Context, status: int) -> None:
    with pytest.raises(PermanentFailure, match=f"answered {status}"):
        fetch(context, server.on("/x", status), "in")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again_later(server: Server, context: Context, status: int) -> None:
    with pytest.raises(TemporaryFailure, match=f"answered {status}"):
        fetch(context, server.on("/x", status), "in")


def test_a_file_that_breaks_off_is_asked_for_again(server: Server, context: Context) -> None:
    def cut(exchange: Any) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Length", "1000")
        exchange.end_headers()
        exchange.wfile.write(b"only some")

    with pytest.raises(TemporaryFailure):
        fetch(context, server.do("/cut", cut), "in")


def test_redirects_are_followed_and_the_last_file_kept(server: Server, context: Context) -> None:
    server.on("/c.csv", body=b"last")
    server.on("/b", 301, b"a longer body than the last", {"Location": "/c.csv"})
    url = server.on("/a", 302, headers={"Location": "/b"})

    given = fetch(context, url, "in")

    assert (given.path.read_bytes(), given.name) == (b"last", "c.csv")


def test_more_than_three_redirects_are_final(server: Server, context: Context) -> None:
    url = server.on("/a", 302, headers={"Location": "/a"})

    with pytest.raises(PermanentFailure, match="more than 3 times"):
        fetch(context, url, "in")
    assert server.hits == 4


# --- where it may not go --------------------------------------------------------------------------------------------

LOCAL = [
    "127.0.0.1", "localhost", "localhost.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "224.0.0.1",
    "①②⑦.0.0.1", "127。0。0。1", "user@127.0.0.1", "93.184.215.14#@127.0.0.1", "93.184.215.14\\@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL, ids=ascii)
def test_no_local_address_is_asked(listener: Listener, context: Context, host: str) -> None:
    with pytest.raises((PermanentFailure, TemporaryFailure)):
        fetch(context, f"http://{host}:{listener.port}/x", "in")


@pytest.mark.parametrize("host", LOCAL, ids=ascii)
def test_no_redirect_leads_to_one(server: Server, listener: Listener, context: Context, host: str) -> None:
    url = server.on("/a", 302, headers={"Location": f"http://{host}:{listener.port}/x".encode().decode("latin-1")})

    with pytest.raises(PermanentFailure):
        fetch(context, url, "in")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x", "gopher://x/", "/etc/passwd", "", "http://"]
)
def test_no_other_scheme_is_read(context: Context, url: str) -> None:
    with pytest.raises(PermanentFailure):
        fetch(context, url, "in")


def test_a_name_that_is_public_once_and_local_then_is_not_followed(
    listener: Listener, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebinding name: it is looked up once, and the address that was checked is the one that is used."""
    answers = [["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]]
    asked: list[str] = []
    connected: list[Any] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        family = socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[len(asked) - 1]]

    def connect(self: socket.socket, where: Any) -> None:
        connected.append(where[0])
        raise ConnectionRefusedError("nothing leaves this machine")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("jobs.handlers.exchange.socket.socket.connect", connect, raising=False)
    url = f"http://rebinding.example:{listener.port}/x"

    with pytest.raises(TemporaryFailure):
        fetch(context, url, "in")
    for _ in range(2):
        with pytest.raises(PermanentFailure, match="not public"):
            fetch(context, url, "in")

    assert connected == ["93.184.215.14"]
    assert len(asked) == 3


def test_the_organisations_own_lists_hold_here_too(server: Server, context: Context, tmp_path: Path) -> None:
    held = make_context("etl", {}, folder=tmp_path, org_settings={"http_deny_hosts": ["127.0.0.1"]})

    with pytest.raises(PermanentFailure, match="does not let its jobs reach"):
        fetch(held, server.on("/x", body=b"x"), "in")
    assert server.asked == []


# --- time -----------------------------------------------------------------------------------------------------------


def hang(exchange: Any) -> None:
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000000")
    exchange.end_headers()
    exchange.drip(b"x", 0.05)


def test_a_cancelled_attempt_does_not_wait_for_the_rest(server: Server, context: Context) -> None:
    url = server.do("/slow", hang)
    began = time.monotonic()
    threading.Timer(0.2, context.stop, [StopReason.CANCELLED]).start()

    with pytest.raises(Stopped):
        fetch(context, url, "in")

    assert time.monotonic() - began < 2


def test_a_server_that_drips_does_not_stretch_the_time(server: Server, tmp_path: Path) -> None:
    context = make_context("etl", {}, folder=tmp_path, timeout_seconds=0.3)
    began = time.monotonic()

    with pytest.raises(TemporaryFailure, match="No whole response"):
        fetch(context, server.do("/slow", hang), "in")

    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://x/a/b.csv?c=d", "b.csv"),
        ("http://x/", "download"),
        ("http://x/a%2Fb.csv", "b.csv"),
        ("http://x/%2e%2e", ".."),
        ("http://x/a b\u202e.csv", "a-b-.csv"),
        ("http://x/" + "a" * 200 + ".csv", "a" * 76 + ".csv"),
    ],
)
def test_a_file_is_called_by_the_end_of_its_path(url: str, name: str) -> None:
    assert last_part(url) == name
