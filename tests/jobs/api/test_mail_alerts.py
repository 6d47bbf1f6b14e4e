"""Mail alerts over REST."""

from typing import Any

import pytest
from django.core import mail as outbox
from pytest_django.fixtures import Settings

from jobs.models import Subscriber
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, make_alert, make_dead_letter
from tests.jobs.delivery.rounds import mail

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/mail-alerts/"
ADDRESS = "oncall@example.com"


def test_one_is_made_for_dead_letters_unless_said_otherwise(world: World) -> None:
    client = api(world.owner)

    plain = client.post(ALERTS, {"address": ADDRESS})
    other = client.post(ALERTS, {"address": ADDRESS, "events": ["job.done"], "types": ["http"]})

    assert plain["Location"] == f"{ALERTS}{plain.json()['id']}/"
    assert (plain.json()["events"], plain.json()["types"]) == (["job.failed"], None)
    assert (other.json()["events"], other.json()["types"]) == (["job.done"], ["http"])
    assert [one["address"] for one in client.get(ALERTS).json()["items"]] == [ADDRESS] * 2


@pytest.mark.parametrize(
    "address",
    ["", "oncall", "a@b", "a b@example.com", "a@example.com, b@example.com", "a@example.com\nBcc: b@example.com",
     "ünal@example.com", "a@" + "b" * 250 + ".com", "<a@example.com>", 5, None, ["a@example.com"]],
)  # fmt: skip
def test_only_one_address_is_taken(world: World, address: Any) -> None:
    response = api(world.owner).post(ALERTS, {"address": address})

    assert response.status_code == 400
    assert [error["pointer"].partition("/0")[0] for error in response.json()["errors"]] == ["/address"]
    assert not Subscriber.objects.exists()


def test_an_organisation_has_a_bounded_number(world: World, settings: Settings) -> None:
    settings.MAIL_ALERTS_MAX = 2

    statuses = [api(world.owner).post(ALERTS, {"address": ADDRESS}).status_code for _ in range(3)]

    assert statuses == [201, 201, 400]


def test_a_test_comes_with_the_next_mail(world: World) -> None:
    alert = make_alert(world.org)
    client = api(world.owner)

    assert client.post(f"{ALERTS}{alert.pk}/test/").status_code == 202
    assert mail() == 1

    (sent,) = outbox.outbox
    assert (sent.to, sent.subject) == ([ADDRESS], "[SmartQueue] Acme: a test")
    assert "This is a test" in sent.body
    assert client.get(f"{ALERTS}{alert.pk}/").json()["mailed_at"]


def test_one_that_is_removed_gets_no_mail(world: World) -> None:
    alert = make_alert(world.org)
    make_dead_letter(world.org)
    client = api(world.owner)

    assert client.delete(f"{ALERTS}{alert.pk}/").status_code == 204

    assert mail() == 0
    assert client.get(f"{ALERTS}{alert.pk}/").status_code == 404
    assert AuditEntry.objects.get(action="mail_alert.remove").detail["old"]["target"] == ADDRESS


def test_a_mail_alert_is_no_webhook(world: World) -> None:
    alert = make_alert(world.org)
    client = api(world.owner)

    for tail in ("", "deliveries/"):
        assert client.get(f"/api/v1/webhooks/{alert.pk}/{tail}").status_code == 404
    for tail in ("secret/", "test/"):
        assert client.post(f"/api/v1/webhooks/{alert.pk}/{tail}").status_code == 404
    assert client.delete(f"/api/v1/webhooks/{alert.pk}/").status_code == 404
    assert client.get("/api/v1/webhooks/").json()["items"] == []
