"""Where a request came from: the one answer, for limits, the audit trail, logs and /metrics.

X-Forwarded-For is what anybody writes into it; only what our own proxies have added at its end says anything.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# What a household or a host is given of IPv6: it may use any address within.
IPV6_PREFIX_BITS = 64
UNKNOWN = "unknown"


def client_address(request: HttpRequest) -> str | None:
    """The address of who called the first of our proxies (SMARTQUEUE_TRUSTED_PROXIES of them), as written by it.

    That of who called us where there are no proxies, where fewer have written than there are (then it did not come
    through them, and the rest is hearsay), and where what was written is no address. None where not even that is known,
    as over a Unix socket.
    """
    caller = parsed(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        named = parsed(hops[-proxies]) if len(hops) >= proxies else None
        caller = named or caller
    return str(caller) if caller else None


def client_prefix(request: HttpRequest) -> str:
    """Whom limits by address count as one: an IPv4 address, or all of an IPv6 /64."""
    address = client_address(request)
    if address is None or ":" not in address:
        return address or UNKNOWN
    return str(ip_network((address, IPV6_PREFIX_BITS), strict=False))


def parsed(word: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: bare, with a port, in brackets, with a zone, an IPv4 one within IPv6."""
    text = word.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
