"""Where http jobs may not go: nothing private, by no spelling, no name, no redirect and no second lookup."""
# ruff: noqa: S104 addresses are named here to be refused

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.addresses import Refused, among, is_public, target
from jobs.handlers.base import Done, Fail, Retry
from tests.jobs.handlers.fakes import make_context, run
from tests.jobs.handlers.server import Server, serving

PUBLIC = "93.184.215.14"


class Listener:
    """Hears every connection to its port on any address of this machine."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.port = 0
        self.sockets = [self.listen(socket.AF_INET, "0.0.0.0")]
        if socket.has_ipv6:
            self.sockets.append(self.listen(socket.AF_INET6, "::"))
        self.threads = [threading.Thread(target=self.hear, args=(one,), daemon=True) for one in self.sockets]
        for thread in self.threads:
            thread.start()

    def listen(self, family: socket.AddressFamily, host: str) -> socket.socket:
        one = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, self.port))
        one.listen()
        self.port = one.getsockname()[1]
        return one

    def hear(self, one: socket.socket) -> None:
        while True:
            try:
                connection, address = one.accept()
            except OSError:
                return
            self.heard.append(address)
            connection.close()

    def close(self) -> None:
        for one in self.sockets:
            one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self.threads:
            thread.join()


@contextmanager
def unheard(settings: Settings) -> Iterator[Listener]:
    """On a port that is open to jobs and webhooks, so that only the address can be what is refused."""
    one = Listener()
    settings.HTTP_PORTS = [80, 443, one.port]
    yield one
    one.close()
    assert one.heard == []


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    with unheard(settings) as one:
        yield one


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return watched(monkeypatch)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where connections went. None leaves this machine."""
    seen: list[Any] = []

    class Watched(socket.socket):
        def connect(self, where: Any) -> None:
            seen.append(where)
            if not ipaddress.ip_address(where[0]).is_loopback:
                raise ConnectionRefusedError("tests stay on this machine")
            super().connect(where)

    monkeypatch.setattr(socket, "socket", Watched)
    return seen


def resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Each lookup gets the next answer, the last one for ever; returns the names asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (
                family[ipaddress.ip_address(one).version],
                socket.SOCK_STREAM,
                6,
                "",
                (one, port, 0, 0)[: 4 if ":" in one else 2],
            )
            for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


# --- by URL -----------------------------------------------------------------------------------------------------

BAD_HOSTS = [
    # loopback in its many spellings
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1"),
    *("0177.0.0.1", "017700000001", "0x7f.1", "127.0.0.1.0x7f", "0", "0.0.0.0", "00000.0", "0x0", "1.2.3.0x"),
    *("①②⑦.0.0.1", "127。0。0。1", "１２７.0.0.1", "127.0.0.1%00.example.com", "%31%32%37.0.0.1"),
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "ｌocalhost", "loc\u00adalhost"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]"),
    *("[::1%lo]", "[fe80::1%25eth0]"),
    # the metadata services
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"),
    *("[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2001:0:a9fe:a9fe::1]"),
    # private and special
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "[ff02::1]"),
    *("[fec0::1]", "[fc00::1]", "[fe80::1]", "[2001:db8::1]", "[100::1]", "[::ffff:10.0.0.1]"),
    # no host at all, or not only a host
    *("", ".", "..", "user@127.0.0.1", "user:word@example.com", "@127.0.0.1", "example.com@127.0.0.1", "[", "[::1"),
    *("example.com\\@127.0.0.1", "127.0.0.1\\.example.com", "exa mple.com", "example.com\t", "example.com\r\nX: y"),
    *("münchen.example", "-example.com", "a..example.com", "a" * 64 + ".com", "a." * 130 + "com"),
]


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_url_leads_to_a_private_address(listener: Listener, scheme: str, host: str) -> None:
    url = f"{scheme}://{host}:{listener.port}/"

    with pytest.raises(InvalidPayload) as refusal:
        run("http", {"url": url})

    assert [pointer for pointer, _ in refusal.value.errors] == ["/url"]


@pytest.mark.parametrize(
    "url",
    [
        "gopher://127.0.0.1:{port}/_GET",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/",
        "dict://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}/",
        "javascript:alert(1)",
        "//127.0.0.1:{port}/",
        "127.0.0.1:{port}",
        "/etc/passwd",
        "http:127.0.0.1:{port}/",
        "http:/127.0.0.1:{port}/",
        "http:///127.0.0.1:{port}/",
        "http:\\\\127.0.0.1:{port}\\",
        " http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@example.com/",
        "http://127.0.0.1:{port}?@example.com/",
        "http://example.com:80@127.0.0.1:{port}/",
        "http://example.com:{port}:80/",
        "http://example.com:0/",
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:5432/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:+80/",
        "http://example.com:８０/",
        "http://example.com:80x/",
        "http://example.com/" + "a" * 2_048,
        "http://example.com/\0",
        "http://example.com/ HTTP/1.1\r\nX: y",
    ],
)
def test_no_other_scheme_port_or_trick_is_accepted(listener: Listener, url: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        run("http", {"url": url.replace("{port}", str(listener.port))})

    assert [pointer for pointer, _ in refusal.value.errors] == ["/url"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://Example.COM.:80/a?b#c", "http://example.com/a?b"),
        ("https://xn--mnchen-3ya.example:8443/", "https://xn--mnchen-3ya.example:8443/"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        (
            "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8080/",
            "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8080/",
        ),
        ("http://[::ffff:93.184.215.14]/", "http://[::ffff:93.184.215.14]/"),
        ("http://a_b.example.com/../x", "http://a_b.example.com/x"),
    ],
)
def test_public_places_are_accepted(url: str, shown: str) -> None:
    assert target(url).url == shown


# --- by lookup --------------------------------------------------------------------------------------------------

BAD_ADDRESSES = [
    *(
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
    ),
    *("192.0.0.8", "192.0.0.170", "192.88.99.1", "198.19.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "fe80::1"),
    *("fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1"),
    *("2001:db8::1", "100::1"),
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_name_that_leads_to_a_private_address_is_refused(
    listener: Listener, connects: list[Any], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolves(monkeypatch, [address])

    answer = run("http", {"url": f"http://innocent.example:{listener.port}/"})

    assert answer == Fail("innocent.example has an address that is not public.", "AddressRefused")
    assert connects == []


@pytest.mark.parametrize("order", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, PUBLIC, "::1"]])
def test_one_private_address_among_public_ones_refuses_all(
    listener: Listener, connects: list[Any], monkeypatch: pytest.MonkeyPatch, order: list[str]
) -> None:
    resolves(monkeypatch, order)

    answer = run("http", {"url": f"http://mixed.example:{listener.port}/"})

    assert isinstance(answer, Fail)
    assert connects == []


def test_a_name_is_looked_up_once_and_the_checked_address_is_used(
    listener: Listener, connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolves(monkeypatch, [PUBLIC], ["127.0.0.1"])

    answer = run("http", {"url": f"http://rebinding.example:{listener.port}/"})

    assert isinstance(answer, Retry)
    assert asked == ["rebinding.example"]
    assert connects == [(PUBLIC, listener.port)]


def test_a_name_that_turns_private_before_a_retry_is_refused_then(
    listener: Listener, connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, [PUBLIC], ["127.0.0.1"])
    context = make_context("http", {"url": f"http://rebinding.example:{listener.port}/"})
    assert isinstance(registry.get("http").perform(context), Retry)

    assert isinstance(registry.get("http").perform(context), Fail)
    assert connects == [(PUBLIC, listener.port)]


def test_each_address_is_tried_until_one_answers(
    server: Server, connects: list[Any], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.HTTP_ALLOW_HOSTS = [f"twice.example:{server.port}"]
    server.on("/")
    resolves(monkeypatch, [PUBLIC, "127.0.0.1"])

    assert isinstance(run("http", {"url": f"http://twice.example:{server.port}/"}), Done)
    assert connects == [(PUBLIC, server.port), ("127.0.0.1", server.port)]
    assert server.asked[0].headers["Host"] == f"twice.example:{server.port}"


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_private_addresses_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", [PUBLIC, "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


# --- what the operator allows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["127.0.0.1:{port}", "127.0.0.1"])
def test_a_host_that_the_operator_names_is_reached(server: Server, settings: Settings, entry: str) -> None:
    settings.HTTP_ALLOW_HOSTS = [entry.format(port=server.port)]
    assert isinstance(run("http", {"url": server.on("/")}), Done)


@pytest.mark.parametrize(
    "entry", ["127.0.0.1:1", "localhost:{port}", "0.0.1", "127.0.0.1:{port}0", "example.com", "[::1]:{port}", "*"]
)
def test_another_entry_does_not_open_it(server: Server, settings: Settings, entry: str) -> None:
    settings.HTTP_ALLOW_HOSTS = [entry.format(port=server.port)]
    with pytest.raises(Refused):
        target(server.on("/"))


def test_entries_match_names_whatever_their_case(settings: Settings) -> None:
    settings.HTTP_ALLOW_HOSTS = ["Intern.Example:9000", "[::1]:9001", "::1"]
    for url in ("http://intern.example:9000/", "http://INTERN.example.:9000/", "http://[::1]:9001/", "http://[::1]/"):
        assert target(url).allowed


# --- redirects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "http://example.com:22/",
        "http://private.example:{port}/",
        "\\\\127.0.0.1:{port}\\",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_to_a_private_address(
    listener: Listener,
    server: Server,
    connects: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    status: int,
) -> None:
    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = server.on("/", status, headers={"Location": location.format(port=listener.port)})

    answer = run("http", {"url": url})

    assert isinstance(answer, Fail)
    assert answer.error_type == "AddressRefused"
    assert connects == [("127.0.0.1", server.port)]


def chain(server: Server, length: int) -> str:
    """A path that redirects so many times, then answers."""
    server.on("/0", body="arrived")
    for step in range(1, length + 1):
        server.on(f"/{step}", 302, headers={"Location": str(step - 1)})
    return f"{server.url}/{length}"


@pytest.mark.parametrize("length", [1, 2, 3])
def test_up_to_three_redirects_are_followed(server: Server, length: int) -> None:
    answer = run("http", {"url": chain(server, length)})

    assert isinstance(answer, Done)
    assert (answer.result["body"], answer.result["url"]) == ("arrived", f"{server.url}/0")
    assert server.hits == length + 1


@pytest.mark.parametrize("length", [4, 9])
def test_more_are_not(server: Server, length: int) -> None:
    answer = run("http", {"url": chain(server, length)})

    assert isinstance(answer, Fail)
    assert answer.error_type == "TooManyRedirects"
    assert answer.result["status"] == 302
    assert server.hits == 4


def test_a_redirect_without_a_place_is_a_failure(server: Server) -> None:
    answer = run("http", {"url": server.on("/", 302)})
    assert isinstance(answer, Fail)
    assert answer.error_type == "HttpStatus"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        *((301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD")),
        *((301, "PUT", "PUT"), (307, "POST", "POST"), (308, "POST", "POST"), (302, "GET", "GET")),
    ],
)
def test_the_method_after_a_redirect(server: Server, status: int, method: str, then: str) -> None:
    server.on("/new")
    url = server.on("/old", status, headers={"Location": "/new"})
    body = {} if method in ("GET", "HEAD") else {"json": {"a": 1}}

    run("http", {"url": url, "method": method, **body})

    first, second = server.asked
    assert (first.method, second.method) == (method, then)
    assert second.body == (first.body if then == method else b"")
    assert ("Content-Type" in second.headers) == bool(second.body)
    assert second.headers["Idempotency-Key"] == first.headers["Idempotency-Key"]


def test_secrets_are_not_told_to_another_host(server: Server) -> None:
    headers = {"Authorization": "Bearer x", "cookie": "a=b", "X-Api-Key": "k", "X-Auth-Token": "t", "X-Kept": "yes"}
    with serving() as other:
        other.on("/new")
        url = server.on("/old", 307, headers={"Location": f"{other.url}/new"})
        run("http", {"url": url, "headers": headers})

    received = {name.lower(): value for name, value in other.asked[0].headers.items()}
    assert received["x-kept"] == "yes"
    assert not {"authorization", "cookie", "x-api-key", "x-auth-token"} & set(received)


def test_secrets_are_kept_on_the_same_host(server: Server) -> None:
    server.on("/new")
    url = server.on("/old", 307, headers={"Location": "/new"})

    run("http", {"url": url, "headers": {"Authorization": "Bearer x"}})

    assert server.asked[1].headers["Authorization"] == "Bearer x"


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        assert isinstance(run("http", {"url": server.on("/")}), Done)

    assert proxy.hits == 0


# --- the organisation's own lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "patterns", "is_among"),
    [
        ("api.example.com", ["api.example.com"], True),
        ("API.Example.COM", ["api.example.com."], True),
        ("api.example.com.", ["API.example.com"], True),
        ("api.example.com", ["example.com"], False),
        ("example.com", ["*.example.com"], False),
        ("api.example.com", ["*.example.com"], True),
        ("a.b.example.com", ["*.example.com"], True),
        ("badexample.com", ["*.example.com"], False),
        ("api.example.com.evil.test", ["*.example.com", "api.example.com"], False),
        ("xn--mnchen-3ya.example", ["xn--mnchen-3ya.example"], True),
        ("93.184.215.14", ["93.184.215.14"], True),
        ("93.184.215.14", ["*.215.14"], True),
        ("[2606:4700:0:0::1111]", ["2606:4700::1111"], True),
        ("2606:4700:0000:0000:0000:0000:0000:1111", ["2606:4700::1111"], True),
        ("2606:4700::1111", ["[2606:4700:0:0:0:0:0:1111]"], True),
        ("[::ffff:93.184.215.14]", ["93.184.215.14"], True),
        ("[::ffff:5db8:d70e]", ["93.184.215.14"], True),
        ("api.example.com", [], False),
    ],
)
def test_a_host_is_found_however_it_is_written(host: str, patterns: list[str], is_among: bool) -> None:
    assert among(host, patterns) is is_among


@pytest.mark.parametrize(
    "url",
    [
        "http://bad.example/", "http://BAD.example./", "http://bad.example:8080/", "http://x.bad.test/",
        "https://93.184.215.14/", "http://[::ffff:93.184.215.14]/", "http://[2606:4700:0:0:0:0:0:1111]/",
    ],
)  # fmt: skip
def test_what_an_organisation_denies_is_refused_at_submit_and_when_it_runs(url: str) -> None:
    org_settings = {"http_deny_hosts": ["bad.example", "*.bad.test", "93.184.215.14", "2606:4700::1111"]}
    handler = registry.get("http")

    with pytest.raises(Refused, match="does not let its jobs reach"):
        target(url, org_settings)
    with pytest.raises(InvalidPayload):
        handler.check({"url": url}, org_settings)
    with pytest.raises(InvalidPayload):
        run("http", {"url": url}, org_settings=org_settings)


def test_an_organisation_that_names_hosts_reaches_no_others(server: Server) -> None:
    url = server.on("/a", 302, headers={"Location": "http://elsewhere.example/"})
    org_settings = {"http_allow_hosts": ["127.0.0.1"]}

    answer = run("http", {"url": url}, org_settings=org_settings)

    assert isinstance(answer, Fail)
    assert answer.error_type == "AddressRefused"
    assert "does not let its jobs reach elsewhere.example" in answer.reason
    with pytest.raises(InvalidPayload):
        run("http", {"url": "http://elsewhere.example/"}, org_settings=org_settings)


def test_an_organisations_list_opens_nothing_that_is_private(listener: Listener) -> None:
    with pytest.raises(Refused, match="not public"):
        target(f"http://127.0.0.1:{listener.port}/", {"http_allow_hosts": ["127.0.0.1"]})
