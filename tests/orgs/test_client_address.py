"""Where a request comes from: only what our own proxies have written is believed."""

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from orgs.client import client_address, client_prefix
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api

CALLER = "198.51.100.9"


def address(forwarded: str | None, caller: str = CALLER) -> str | None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=caller, headers=headers))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, CALLER),
        (0, "192.0.2.1", CALLER),
        (1, "192.0.2.1", "192.0.2.1"),
        # what the client wrote himself stands before what the proxy added
        (1, "10.0.0.1, 192.0.2.1", "192.0.2.1"),
        (2, "10.0.0.1, 192.0.2.1, 203.0.113.5", "192.0.2.1"),
        (2, "192.0.2.1, 203.0.113.5", "192.0.2.1"),
        # it came through fewer proxies than there are: the rest is hearsay
        (1, None, CALLER),
        (1, "", CALLER),
        (2, "192.0.2.1", CALLER),
        (3, "192.0.2.1, 203.0.113.5", CALLER),
        # as proxies write
        (1, "192.0.2.1:4711", "192.0.2.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "  2001:DB8:0::1  ", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "[::ffff:192.0.2.1]:80", "192.0.2.1"),
        # no address
        (1, "unknown", CALLER),
        (1, "_hidden", CALLER),
        (1, "192.0.2.1, ", CALLER),
        (1, "192.0.2.256", CALLER),
        (1, "192.0.2.1; DROP", CALLER),
        (1, "1\u0662.0.2.1", CALLER),
        (1, "[", CALLER),
        (1, "localhost", CALLER),
        (1, ":" * 4000, CALLER),
    ],
)
def test_the_client_of_a_request(settings: Settings, proxies: int, forwarded: str | None, expected: str) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert address(forwarded) == expected


def test_over_a_unix_socket_nobody_is_known_but_who_the_proxy_names(settings: Settings) -> None:
    assert address("192.0.2.1", caller="") is None

    settings.TRUSTED_PROXIES = 1
    assert address("192.0.2.1", caller="") == "192.0.2.1"


@pytest.mark.parametrize(
    ("caller", "prefix"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
    ],
)
def test_a_household_counts_as_one(caller: str, prefix: str) -> None:
    assert client_prefix(RequestFactory().get("/", REMOTE_ADDR=caller)) == prefix


@pytest.mark.django_db
def test_the_audit_trail_has_it_from_the_same_place(world: World, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    headers = {"X-Forwarded-For": "10.0.0.1, 192.0.2.7:5000"}

    api(world.owner).patch("/api/v1/orgs/acme/", {"name": "Acme Ltd"}, headers=headers)
    body = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    api(world.owner).post("/api/v1/jobs/", body, headers=headers)

    addresses = AuditEntry.objects.filter(action__in=["org.rename", "job.submit"]).values_list("address", flat=True)
    assert list(addresses) == ["192.0.2.7", "192.0.2.7"]


@pytest.mark.django_db
def test_metrics_are_not_open_to_whom_a_proxy_on_this_host_lets_in(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1

    outside = api().get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "127.0.0.1, 192.0.2.7"})
    inside = api().get("/metrics", REMOTE_ADDR="127.0.0.1")

    assert (outside.status_code, inside.status_code) == (404, 200)
