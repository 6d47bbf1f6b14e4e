"""Where a job may connect to: http and https, named ports, public addresses. For all that calls out for tenants."""

import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.conf import settings
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from jobs.handlers.base import Context

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 2_048
# Python's is_global calls these public, though they lead to private addresses or nowhere (3.11.7, CVE-2024-4032).
DENIED = [
    ipaddress.ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96"),
        *("192.0.0.0/24", "192.88.99.0/24"),
    )
]
HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# Such a last label makes the C library read the name as a number: 2130706433, 0x7f.1, 0177.0.0.1.
NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

# As getaddrinfo gives it: family, then what connect() takes.
Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class Refused(Exception):
    """A place that jobs may not reach; the message is for the tenant and names no address he did not give."""


class Unresolved(Exception):
    """The host's name could not be looked up now."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL. `allowed` when the operator named the host, which may then be private."""

    scheme: str
    host: str
    port: int
    path: str
    allowed: bool

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def target(url: str, org_settings: Mapping[str, Any] = MappingProxyType({})) -> Target:
    """Check all that can be known without a lookup. Raises Refused.

    An organisation may hold its own jobs to some hosts (http_allow_hosts), or keep them from some (http_deny_hosts).
    """
    if len(url) > MAX_URL_CHARACTERS or re.search(r"[\x00-\x20\x7f\\]", url):
        raise Refused(f"At most {MAX_URL_CHARACTERS} characters, without spaces, control characters or backslashes.")
    if not re.match(r"https?://", url, re.IGNORECASE):
        raise Refused("Only http:// and https:// are possible.")
    authority = re.split(r"[/?#]", url.split("//", 1)[1], maxsplit=1)[0]
    if "@" in authority:
        raise Refused("A name or password does not belong in a URL; send a header.")
    if not authority.isascii():
        raise Refused("Write the host in ASCII (xn--… for international names).")
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise Refused("This is not a URL.") from error
    scheme, host = str(parts.scheme), (parts.host or "").strip("[]").removesuffix(".").lower()
    port = DEFAULT_PORTS[scheme] if parts.port is None else parts.port
    allowed = named_by_operator(host, port)
    if not allowed:
        check_name(host)
        if port not in settings.HTTP_PORTS:
            raise Refused(f"Port {port} is not open to jobs; there are: {', '.join(map(str, settings.HTTP_PORTS))}.")
    wanted, unwanted = (org_settings.get(name) or [] for name in ("http_allow_hosts", "http_deny_hosts"))
    if (wanted and not among(host, wanted)) or among(host, unwanted):
        raise Refused(f"Your organisation does not let its jobs reach {host}.")
    return Target(scheme, host, port, parts.request_uri, allowed)


def among(host: str, patterns: Sequence[str]) -> bool:
    """A host's name or address, however it is written, or all names below one: *.example.com."""
    host = plain(host)
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern for pattern in map(plain, patterns)
    )


def plain(host: str) -> str:
    """The one way that a host is written here: an IPv6 address has many, and an IPv4 address has one of them."""
    host = host.strip("[]").removesuffix(".").lower()
    literal = as_address(host)
    if isinstance(literal, ipaddress.IPv6Address) and literal.ipv4_mapped is not None:
        literal = literal.ipv4_mapped
    return host if literal is None else str(literal)


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with an entry of an organisation's lists, as a sentence."""
    if not pattern.isascii():
        return "Write the host in ASCII (xn--… for international names)."
    name = plain(pattern.removeprefix("*."))
    if as_address(name) is not None and not pattern.startswith("*."):
        return None
    if len(name) > 253 or not HOST_NAME.fullmatch(name) or NUMBER_LABEL.fullmatch(name.rpartition(".")[2]):
        return "A host like api.example.com, an address, or *.example.com for all hosts below one; no port, no path."
    return None


def named_by_operator(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host
    names = {name.lower() for name in settings.HTTP_ALLOW_HOSTS}
    return bool(host) and not names.isdisjoint({host, shown, f"{shown}:{port}"})


def check_name(host: str) -> None:
    literal = as_address(host)
    if literal is None:
        if not HOST_NAME.fullmatch(host) or len(host) > 253:
            raise Refused("The URL has no host that could be looked up.")
        if NUMBER_LABEL.fullmatch(host.rpartition(".")[2]):
            raise Refused("Write an address as four decimal numbers, without leading zeros.")
    if (literal is not None and not is_public(literal)) or host.rpartition(".")[2] == "localhost":
        raise Refused("This address is not public.")


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
    if any(address in network for network in DENIED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def addresses(to: Target, context: Context, seconds: float) -> Sequence[Address]:
    """Look the host up once. Every address must be public, else none is used. Raises Refused, Unresolved."""
    found = lookup(to, context, seconds)
    if not to.allowed:
        for _, where in found:
            literal = as_address(str(where[0]))
            if literal is None or not is_public(literal):
                raise Refused(f"{to.host} has an address that is not public.")
    return found


def lookup(to: Target, context: Context, seconds: float) -> Sequence[Address]:
    """getaddrinfo cannot be interrupted: it runs in a thread that is left behind when time is up."""
    answers: queue.SimpleQueue[Sequence[Address] | OSError | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            answers.put(list(dict.fromkeys((family, where) for family, _, _, _, where in found)))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=ask, name="lookup", daemon=True).start()
    context.on_stop(lambda: answers.put(None))
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise Unresolved(f"{to.host} was not found within {seconds:.1f} s.") from None
    context.check_stopped()
    if isinstance(answer, OSError):
        raise Unresolved(f"{to.host} could not be looked up: {answer}")
    return answer or []
