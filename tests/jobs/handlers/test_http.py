"""http jobs against a real server."""

import base64
import gzip
import json
import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Done, Fail, Retry, Stopped, StopReason
from jobs.handlers.results import json_result
from tests.eventually import eventually
from tests.jobs.handlers.fakes import JOB_ID, in_thread, make_context, reported, run
from tests.jobs.handlers.server import Exchange, Server


def get(url: str, **payload: Any) -> Any:
    return run("http", {"url": url, **payload})


def refused(**payload: Any) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("http").check({"url": "http://example.com/", **payload}, {})
    return dict(refusal.value.errors)


# --- what is sent -----------------------------------------------------------------------------------------------


def test_a_request_is_sent_once_and_its_response_kept(server: Server) -> None:
    url = server.on("/greeting", body="grüß dich", headers={"Content-Type": "text/plain; charset=utf-8", "X-A": "b"})

    answer = get(url)

    assert isinstance(answer, Done)
    result = answer.result
    assert (result["status"], result["reason"], result["body"], result["encoding"], result["truncated"]) == (
        *(200, "OK", "grüß dich", "text", False),
    )
    assert result["headers"]["X-A"] == "b"
    assert result["url"] == url
    assert isinstance(result["elapsed_ms"], int)
    assert server.hits == 1


def test_every_request_names_its_job_attempt_and_correlation(server: Server) -> None:
    context = make_context("http", {"url": server.on("/")}, attempt=3)

    registry.get("http").perform(context)

    (asked,) = server.asked
    assert asked.headers["Idempotency-Key"] == str(JOB_ID)
    assert asked.headers["X-SmartQueue-Attempt"] == "3"
    assert asked.headers["X-Correlation-ID"] == "corr-1"
    assert asked.headers["User-Agent"].startswith("SmartQueue/")
    assert asked.headers["Host"] == server.authority
    assert reported(context).lines[0][1].startswith(f"GET {server.url}/ answered 200 in ")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_every_request_goes_on_with_the_trace_of_its_job(server: Server) -> None:
    """One trace for all attempts, a span for each; the trace is the correlation id, where it can be."""
    url = server.on("/")
    for correlation_id, attempt in [(TRACE, 1), (TRACE, 2), ("corr-1", 1), ("corr-1", 2), ("0" * 32, 1)]:
        run("http", {"url": url}, correlation_id=correlation_id, attempt=attempt)

    sent = [asked.headers["traceparent"] for asked in server.asked]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one) for one in sent)
    traces = [one.split("-")[1] for one in sent]
    assert traces[:2] == [TRACE, TRACE]
    assert traces[2] == traces[3] != traces[4] != "0" * 32
    assert len({one.split("-")[2] for one in sent[:2]}) == 2


def test_a_trace_of_the_callers_own_is_sent_as_it_is(server: Server) -> None:
    own = f"00-{TRACE}-00f067aa0ba902b7-00"

    run("http", {"url": server.on("/"), "headers": {"TraceParent": own}})

    (asked,) = server.asked
    assert {name.lower(): value for name, value in asked.headers.items()}["traceparent"] == own


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_each_method_is_sent_as_named(server: Server, method: str) -> None:
    answer = get(server.on("/", body="x"), method=method)

    assert isinstance(answer, Done)
    assert server.asked[0].method == method
    assert answer.result["body"] == ("" if method == "HEAD" else "x")


def test_the_query_is_kept_and_the_fragment_is_not_sent(server: Server) -> None:
    server.on("/find")
    get(f"{server.url}/find?q=a%20b&r=ü#part")
    assert server.asked[0].path == "/find?q=a%20b&r=%C3%BC"


@pytest.mark.parametrize(
    ("payload", "content_type", "body"),
    [
        ({"body": "ä"}, "text/plain; charset=utf-8", "ä".encode()),
        ({"json": {"a": [1, "ü"]}}, "application/json", '{"a": [1, "ü"]}'.encode()),
        ({"json": None}, "application/json", b"null"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, "text/xml", b"<a/>"),
    ],
)
def test_a_body_is_sent_with_its_type(server: Server, payload: dict[str, Any], content_type: str, body: bytes) -> None:
    get(server.on("/"), method="POST", **payload)

    (asked,) = server.asked
    assert {key.lower(): value for key, value in asked.headers.items()}["content-type"] == content_type
    assert asked.body == body


def test_a_form_is_sent_as_a_form(server: Server) -> None:
    get(server.on("/"), method="POST", form={"a": "1 & 2", "b": ["x", "y"]})

    (asked,) = server.asked
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {"a": ["1 & 2"], "b": ["x", "y"]}


def test_the_callers_headers_are_sent(server: Server) -> None:
    get(server.on("/"), headers={"Authorization": "Bearer x", "User-Agent": "me/1"})

    headers = server.asked[0].headers
    assert (headers["Authorization"], headers["User-Agent"]) == ("Bearer x", "me/1")


# --- what is refused at submit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer"),
        *("Upgrade", "Expect", "Proxy-Authorization", "Proxy-Connection", "Idempotency-Key", "X-Correlation-ID"),
        *("X-SmartQueue-Attempt", "", "A B", "A:B", "A\r\nB", "A\0", "Ä"),
    ],
)
def test_headers_that_are_not_the_callers_to_set_are_refused(name: str) -> None:
    assert refused(headers={name: "x"}).keys() == {f"/headers/{name}"}


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\x7f", "\u2028", "😀"])
def test_header_values_cannot_bring_more_headers(value: str) -> None:
    assert refused(headers={"X-A": value}).keys() == {"/headers/X-A"}


def test_a_header_twice_in_different_case_is_refused() -> None:
    assert refused(headers={"X-A": "1", "x-a": "2"}) == {"/headers/x-a": "This header appears twice."}


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"method": "TRACE"}, "/method"),
        ({"method": "get"}, "/method"),
        ({"method": "GET /x HTTP/1.1\r\nHost: y\r\n\r\n"}, "/method"),
        ({"url": ""}, "/url"),
        ({"url": 3}, "/url"),
        ({"headers": {"A": 1}}, "/headers/A"),
        ({"headers": []}, "/headers"),
        ({"timeout_seconds": 0}, "/timeout_seconds"),
        ({"timeout_seconds": -1}, "/timeout_seconds"),
        ({"timeout_seconds": 1e9}, "/timeout_seconds"),
        ({"timeout_seconds": "5"}, "/timeout_seconds"),
        ({"expect_status": []}, "/expect_status"),
        ({"expect_status": [99]}, "/expect_status/0"),
        ({"expect_status": [200, "6xx"]}, "/expect_status/1"),
        ({"expect_status": 200}, "/expect_status"),
        ({"body": {}}, "/body"),
        ({"form": {"a": 1}}, "/form/a"),
        ({"body": "", "json": 1}, "/json"),
        ({"json": 1, "form": {}}, "/form"),
        ({"verify": False}, "/verify"),
        ({"proxy": "http://10.0.0.1"}, "/proxy"),
    ],
)
def test_a_payload_of_another_shape_is_refused(payload: dict[str, Any], pointer: str) -> None:
    assert refused(**payload).keys() == {pointer}


def test_a_url_is_required() -> None:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("http").check({}, {})
    assert refusal.value.errors == [("/url", "This field is required.")]


def test_the_example_is_accepted_where_our_own_address_is_allowed(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    settings.HTTP_ALLOW_HOSTS = ["127.0.0.1:8000"]
    handler = registry.get("http")
    handler.check(handler.example, {})


# --- what a status means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected", "kind"),
    [
        (200, None, Done),
        (204, None, Done),
        (404, [404], Done),
        (503, ["5xx"], Done),
        (302, ["3xx"], Done),
        (404, None, Fail),
        (400, None, Fail),
        (304, None, Fail),
        (200, [201], Fail),
        (429, None, Retry),
        (500, None, Retry),
        (503, ["2xx", 404], Retry),
    ],
)
def test_a_status_is_done_to_be_retried_or_final(server: Server, status: int, expected: Any, kind: type) -> None:
    url = server.on("/", status, headers={"Location": "/elsewhere"})

    answer = get(url, **({"expect_status": expected} if expected else {}))

    assert type(answer) is kind
    assert answer.result["status"] == status
    assert server.hits == 1


def test_a_failure_keeps_the_response_and_says_what_was_asked(server: Server) -> None:
    answer = get(server.on("/x", 422, body='{"error": "no"}'))

    assert isinstance(answer, Fail)
    assert answer.error_type == "HttpStatus"
    assert answer.reason == f"GET {server.url}/x answered 422 Unprocessable Entity"
    assert answer.result["body"] == '{"error": "no"}'


def retry_after(server: Server, value: str, **headers: str) -> float | None:
    answer = get(server.on("/", 503, headers={"Retry-After": value, **headers}))
    assert isinstance(answer, Retry)
    return answer.after_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0", 0), ("999999", 3600), ("soon", None), ("-5", None), ("1.5", None), ("", None), ("٣", None)],
)
def test_retry_after_in_seconds_is_obeyed_up_to_a_cap(server: Server, value: str, seconds: float | None) -> None:
    if not value.isascii():
        value = value.encode().decode("latin-1")
    assert retry_after(server, value) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(40, 40), (-40, 0), (86_400, 3600)])
def test_retry_after_as_a_date_counts_by_the_servers_clock(server: Server, ahead: int, seconds: int) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)

    def answer(exchange: Exchange) -> None:
        exchange.send_response_only(503)
        exchange.send_header("Date", format_datetime(now, usegmt=True))
        exchange.send_header("Retry-After", format_datetime(now + timedelta(seconds=ahead), usegmt=True))
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    got = get(server.do("/", answer))

    assert isinstance(got, Retry)
    assert got.after_seconds == seconds


# --- what is kept of a response ---------------------------------------------------------------------------------


def test_a_body_is_kept_up_to_its_limit_and_marked(server: Server, settings: Settings) -> None:
    settings.HTTP_BODY_MAX_BYTES = 5
    result = get(server.on("/", body="grüße")).result
    # The fifth byte is the first half of ß.
    assert (result["body"], result["truncated"]) == ("grü", True)

    whole = get(server.on("/", body="12345")).result
    assert (whole["body"], whole["truncated"]) == ("12345", False)


def test_an_endless_body_is_cut_off_at_its_limit(server: Server, settings: Settings) -> None:
    settings.HTTP_BODY_MAX_BYTES = 1_000

    def endless(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        exchange.drip(b"x" * 100_000, 0)

    result = get(server.do("/", endless)).result

    assert result["body"] == "x" * 1_000
    assert result["truncated"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", {}),
        (b"\xff\xfe\xfa", {"Content-Type": "text/plain; charset=utf-8"}),
        (b"a\x00b", {"Content-Type": "text/plain"}),
        (b"abc\xff", {"Content-Type": "text/plain; charset=no-such"}),
    ],
)
def test_what_is_not_text_is_kept_as_base64(server: Server, body: bytes, headers: dict[str, str]) -> None:
    result = get(server.on("/", body=body, headers=headers)).result

    assert result["encoding"] == "base64"
    assert base64.b64decode(result["body"]) == body


def test_the_charset_of_the_response_is_used(server: Server) -> None:
    headers = {"Content-Type": "text/plain; charset=iso-8859-1"}
    result = get(server.on("/", body="süß".encode("latin-1"), headers=headers)).result
    assert (result["body"], result["encoding"]) == ("süß", "text")


def test_a_compressed_body_that_nobody_asked_for_is_unpacked_within_the_limit(
    server: Server, settings: Settings
) -> None:
    settings.HTTP_BODY_MAX_BYTES = 10_000
    bomb = gzip.compress(b"0" * 50_000_000)

    result = get(server.on("/", body=bomb, headers={"Content-Encoding": "gzip"})).result

    assert server.asked[0].headers["Accept-Encoding"] == "identity"
    assert result["body"] == "0" * 10_000
    assert result["truncated"]


@pytest.mark.parametrize(
    "body", [b'"\\' * 200_000, b"\x1b" * 400_000, "ü".encode() * 200_000, bytes(range(256)) * 2_000]
)
def test_a_result_is_always_small_enough_to_keep(server: Server, settings: Settings, body: bytes) -> None:
    settings.HTTP_BODY_MAX_BYTES = 400_000
    headers = {f"X-{n}": "v" * 60_000 for n in range(50)}

    result = get(server.on("/", body=body, headers=headers)).result

    assert json_result(result) == result
    assert result["truncated"]
    assert len(json.dumps(result)) > settings.RESULT_MAX_BYTES // 2


def test_headers_that_come_twice_are_joined(server: Server) -> None:
    def twice(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Vary", "Accept")
        exchange.send_header("Vary", "Cookie")
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    assert get(server.do("/", twice)).result["headers"]["Vary"] == "Accept, Cookie"


# --- trouble ----------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_retried(server: Server, settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{unused.getsockname()[1]}"
    settings.HTTP_ALLOW_HOSTS = [authority]

    answer = get(f"http://{authority}/")

    assert isinstance(answer, Retry)
    assert answer.error_type == "ConnectionTrouble"
    assert "refused" in answer.reason


def test_a_name_that_is_not_found_is_retried() -> None:
    answer = get("http://no-such-host.invalid/")
    assert isinstance(answer, Retry)
    assert answer.reason.startswith("no-such-host.invalid could not be looked up")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_a_response_that_is_none_is_retried(server: Server, raw: bytes) -> None:
    def broken(exchange: Exchange) -> None:
        exchange.wfile.write(raw)

    answer = get(server.do("/", broken))

    assert isinstance(answer, Retry)
    assert answer.error_type == "ConnectionTrouble"


def silent(exchange: Exchange) -> None:
    exchange.ours.closing.wait(30)


def slow_headers(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
    exchange.drip(b"x", 0.05)


def slow_body(exchange: Exchange) -> None:
    exchange.send_response(200)
    exchange.end_headers()
    exchange.drip(b"x", 0.05)


def endless_continue(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)


SLOW = [silent, slow_headers, slow_body, endless_continue]


@pytest.mark.parametrize("slow", SLOW)
def test_the_time_of_an_exchange_cannot_be_stretched(server: Server, slow: Any) -> None:
    answer = get(server.do("/", slow), timeout_seconds=0.3)

    assert answer == Retry("No whole response within 0.3 s.", error_type="HttpTimeout")


@pytest.mark.parametrize("slow", SLOW)
def test_the_jobs_own_timeout_ends_an_exchange(server: Server, slow: Any) -> None:
    context = make_context("http", {"url": server.do("/", slow)}, timeout_seconds=0.3)

    with pytest.raises(Stopped):
        registry.get("http").perform(context)

    assert context.stop_reason is StopReason.TIMEOUT


@pytest.mark.parametrize("slow", SLOW)
def test_cancelling_ends_an_exchange_at_once(server: Server, slow: Any) -> None:
    context = make_context("http", {"url": server.do("/", slow), "timeout_seconds": 3_000}, timeout_seconds=3_600)
    thread, ends = in_thread(context)
    eventually(lambda: server.hits)

    context.stop(StopReason.CANCELLED)

    thread.join(5)
    assert isinstance(ends[0], Stopped)


def test_cancelling_ends_a_lookup_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def stuck(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        go_on.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    context = make_context("http", {"url": "http://example.com/"})
    thread, ends = in_thread(context)
    assert asked.wait(5)

    context.stop(StopReason.CANCELLED)

    thread.join(5)
    go_on.set()
    assert isinstance(ends[0], Stopped)


def test_a_lookup_counts_towards_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def stuck(*args: Any, **kwargs: Any) -> Any:
        go_on.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)

    answer = get("http://example.com/", timeout_seconds=0.2)

    go_on.set()
    assert isinstance(answer, Retry)
    assert answer.error_type == "HttpTimeout"


def test_an_attempt_that_was_stopped_before_it_began_asks_nothing(server: Server) -> None:
    context = make_context("http", {"url": server.on("/")})
    context.stop(StopReason.DRAIN)

    with pytest.raises(Stopped):
        registry.get("http").perform(context)

    assert server.hits == 0


def test_threads_and_sockets_are_gone_after_a_request(server: Server) -> None:
    get(server.on("/"))

    def left() -> list[str]:
        return [one.name for one in threading.enumerate() if isinstance(one, threading.Timer) or one.name == "lookup"]

    assert eventually(lambda: not left())
