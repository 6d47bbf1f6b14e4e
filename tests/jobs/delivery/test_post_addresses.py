"""Where webhooks may not go, at creation and at each delivery: no connection is made."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Delivery, Subscriber
from tests.conftest import World
from tests.factories import api, make_delivery, make_org, make_webhook
from tests.jobs.delivery.rounds import deliver, make_due
from tests.jobs.handlers.server import Server
from tests.jobs.handlers.test_http_addresses import (
    BAD_ADDRESSES,
    BAD_HOSTS,
    PUBLIC,
    Listener,
    resolves,
    unheard,
    watched,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def local(settings: Settings) -> Iterator[Listener]:
    with unheard(settings) as one:
        yield one


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return watched(monkeypatch)


def test_no_webhook_is_made_or_moved_to_a_private_address(world: World, local: Listener) -> None:
    client = api(world.owner)
    kept = make_webhook(world.org)

    for host in BAD_HOSTS:
        for method, path in (("post", "/api/v1/webhooks/"), ("patch", f"/api/v1/webhooks/{kept.pk}/")):
            response = getattr(client, method)(path, {"url": f"http://{host}:{local.port}/"})
            assert response.status_code == 400, host
            assert [error["pointer"] for error in response.json()["errors"]] == ["/url"]

    assert Subscriber.objects.get() == kept
    assert kept.target == Subscriber.objects.get().target


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "http://example.com:22/",
        "http://a:b@example.com/",
        "file:///etc/passwd",
        "http://example.com/ x",
        "",
        "x" * 3_000,
    ],
)
def test_nor_to_anything_but_http_at_an_open_port(world: World, url: str) -> None:
    assert api(world.owner).post("/api/v1/webhooks/", {"url": url}).status_code == 400
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_name_that_leads_to_a_private_address_is_not_called(
    local: Listener, went: list[Any], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    delivery = make_delivery(make_webhook(make_org(), f"http://innocent.example:{local.port}/"))
    resolves(monkeypatch, [address])

    deliver()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("pending", "innocent.example has an address that is not public.")
    assert went == []


def test_a_name_that_turns_private_between_tries_is_not_called_then(
    local: Listener, went: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_delivery(make_webhook(make_org(), f"http://rebinding.example:{local.port}/"))
    asked = resolves(monkeypatch, [PUBLIC], ["127.0.0.1"])

    deliver()
    make_due()
    deliver()

    assert asked == ["rebinding.example"] * 2
    assert went == [(PUBLIC, local.port)]


def test_a_redirect_is_not_followed(server: Server, local: Listener) -> None:
    for status in (301, 302, 303, 307, 308):
        server.on("/hook", status, headers={"Location": f"http://127.0.0.1:{local.port}/"})
        make_delivery(make_webhook(make_org(), f"{server.url}/hook"))

    assert [report.status for report in deliver()] != []
    assert set(Delivery.objects.values_list("error", flat=True)) == {"A redirect, which is not followed."}


def test_a_url_that_the_operator_no_longer_allows_is_not_called(server: Server, settings: Settings) -> None:
    delivery = make_delivery(make_webhook(make_org(), server.on("/hook")))
    settings.HTTP_ALLOW_HOSTS = []

    deliver()

    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert "public" in delivery.error
    assert server.hits == 0
