"""The pages of secrets, webhooks, alerts and settings, as a browser without scripts uses them."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from jobs.models import Alert, AlertRule, Delivery, EventType, Schedule, Subscriber
from jobs.queue.alerts import judge
from orgs.models import AuditEntry, Org, Secret
from orgs.vault import values_of
from tests.conftest import World
from tests.factories import browser, make_alert, make_dead_letter, make_delivery, make_webhook
from tests.jobs.delivery.rounds import deliver
from tests.jobs.handlers.server import serving
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

RULE = {"name": "Dead", "kind": "dead_letters", "threshold": "1", "window_seconds": "600", "settle_seconds": "0"}


def text(response: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


# --- Secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_set_replaced_and_removed_and_never_shown(world: World) -> None:
    client = browser(world.owner)
    client.post("/secrets/", {"name": "crm", "value": "first-value"})
    client.post("/secrets/", {"name": "crm", "value": "second-value"})
    page = client.get("/secrets/")

    secret = Secret.objects.get()
    assert values_of(world.org.pk, ["crm"]) == {"crm": "second-value"}
    assert (secret.version, "crm" in text(page)) == (2, True)
    assert "value" not in re.findall(r"(?:first|second)-value", page.content.decode())
    assert [entry.detail for entry in AuditEntry.objects.filter(action__startswith="secret.").order_by("pk")] == [
        {"version": 1},
        {"version": 2},
    ]
    client.post("/secrets/crm/removal/")
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"name": "1x", "value": "long enough"}, {"name": "ok", "value": "x"}, {"name": "ok"}]
)
def test_what_is_no_secret_is_refused_and_not_said_back(world: World, fields: dict[str, str]) -> None:
    answer = browser(world.owner).post("/secrets/", fields)

    assert answer.status_code == 422
    assert "long enough" not in answer.content.decode()
    assert not Secret.objects.exists()


def test_schedules_that_name_a_secret_stand_beside_it(world: World) -> None:
    client = browser(world.owner)
    client.post("/secrets/", {"name": "crm", "value": "a-value-of-it"})
    client.post("/secrets/", {"name": "unused", "value": "a-value-of-it"})
    payload = {"url": "https://example.com/", "headers": {"Authorization": "Bearer {{secret:crm}}"}}
    for org in (world.org, world.rival):
        Schedule.objects.create(org=org, name=f"of {org}", cron="@daily", job={"type": "http", "payload": payload})

    shown = {secret.name: [one.name for one in used] for secret, used in client.get("/secrets/").context["secrets"]}

    assert shown == {"crm": ["of acme"], "unused": []}


def test_an_operator_sees_names_and_cannot_set(world: World) -> None:
    browser(world.owner).post("/secrets/", {"name": "crm", "value": "a-value-of-it"})
    page = browser(world.operator).get("/secrets/")

    assert "crm" in text(page)
    (button,) = [one for one in read(page).all("button", css="primary") if one.text == "Set"]
    assert (button.attributes["aria-describedby"], "disabled" in button.attributes) == ("why-not", True)
    assert browser(world.operator).post("/secrets/", {"name": "x", "value": "another"}).status_code == 403
    assert browser(world.viewer).get("/secrets/").status_code == 403


# --- Webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_is_made_its_secret_shown_once_and_what_came_back_is_shown(world: World, settings: Settings) -> None:
    client = browser(world.owner)
    with serving() as server:
        settings.HTTP_ALLOW_HOSTS = [server.authority]
        sent = client.post("/webhooks/", {"target": server.on("/hook", body=b"thanks"), "events": ["job.failed"]})
        page, again = client.get(sent["Location"]), client.get(sent["Location"])
        (secret,) = re.findall(r"whsec_[A-Za-z0-9+/]{43}=", page.content.decode())
        assert (page["Cache-Control"], "whsec_" in again.content.decode()) == ("no-store", False)

        tested = client.post(f"{sent['Location']}test/")
        waiting = client.get(tested["Location"])
        deliver()
        (asked,) = server.asked

    assert "pending" in text(waiting)
    shown = client.get(tested["Location"])
    assert "delivered" in text(shown)
    assert "thanks" in text(shown)
    assert Webhook(secret).verify(asked.body, asked.headers)["type"] == "test"
    assert asked.headers["webhook-id"] in shown.content.decode()
    # what was sent is shown without what would let somebody send it again
    assert asked.headers["webhook-signature"].partition(",")[2] not in shown.content.decode()


def test_faults_stand_beside_their_fields(world: World) -> None:
    answer = browser(world.owner).post("/webhooks/", {"target": "http://localhost/", "events": ["job.done"]})

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"target"}
    assert not Subscriber.objects.exists()


def test_it_is_changed_turned_off_and_removed(world: World) -> None:
    client, webhook = browser(world.owner), make_webhook(world.org)
    path = f"/webhooks/{webhook.pk}/"

    client.post(path, {"target": "https://example.com/new", "events": ["job.done"], "types": ["http"]})
    client.post(f"{path}state/", {"active": "off"})
    webhook.refresh_from_db()
    assert (webhook.target, webhook.types, webhook.active) == ("https://example.com/new", ["http"], False)
    assert client.post(f"{path}test/", follow=True).redirect_chain[-1][0] == path
    client.post(f"{path}state/", {"active": "on"})
    client.post(f"{path}removal/")
    assert not Subscriber.objects.exists()
    changed = AuditEntry.objects.filter(action="webhook.change").order_by("pk").first()
    assert changed is not None
    assert changed.detail["old"]["target"] == "https://example.com/hook"


def test_all_that_failed_since_a_time_are_sent_again(world: World) -> None:
    webhook, other = make_webhook(world.org), make_webhook(world.org)
    failed: dict[str, Any] = {"status": "failed", "next_at": None, "ended_at": Now(), "attempt": 9}
    fresh = [make_delivery(webhook, **failed) for _ in range(3)]
    old = make_delivery(webhook, **failed, created_at=Now() - timedelta(hours=2))
    foreign = make_delivery(other, **failed)
    done = make_delivery(webhook, status="delivered", next_at=None, ended_at=Now())

    answer = browser(world.owner).post(f"/webhooks/{webhook.pk}/resend/", {"since": "1h"}, follow=True)

    assert "3 deliveries are sent again" in text(answer)
    pending = set(Delivery.objects.filter(status="pending").values_list("pk", flat=True))
    assert pending == {one.pk for one in fresh}
    assert not {old.pk, foreign.pk, done.pk} & pending


def test_the_list_of_deliveries_is_narrowed_paged_and_unchanged_is_empty(world: World) -> None:
    client, webhook = browser(world.owner), make_webhook(world.org)
    for _ in range(60):
        make_delivery(webhook)
    make_delivery(webhook, status="failed", next_at=None, ended_at=Now())
    path = f"/webhooks/{webhook.pk}/"

    first, failed = client.get(path), client.get(f"{path}?status=failed")
    later = client.get(f"{path}?cursor={first.context['next_cursor']}")

    assert [len(page.context["deliveries"]) for page in (first, failed, later)] == [50, 1, 11]
    version = first.context["version"]
    assert client.get(f"{path}?v={version}", headers={"HX-Request": "true"}).status_code == 204
    assert client.get(f"{path}?cursor=nonsense").status_code == 200


def test_another_organisations_webhook_is_not_there(world: World) -> None:
    theirs = make_webhook(world.rival)
    sent = make_delivery(theirs)
    ours = make_webhook(world.org)
    client = browser(world.owner)

    for path in (f"/webhooks/{theirs.pk}/", f"/webhooks/{ours.pk}/deliveries/{sent.pk}/"):
        assert client.get(path).status_code == 404
    for act in ("test", "rotation", "state", "removal", "resend"):
        assert client.post(f"/webhooks/{theirs.pk}/{act}/", {"since": "1h"}).status_code == 404, act


def test_an_address_is_added_tested_and_removed(world: World) -> None:
    client = browser(world.owner)
    client.post("/webhooks/addresses/", {"mail-target": "a@example.com", "mail-events": ["alert.raised"]})
    address = Subscriber.objects.get()
    assert (address.kind, address.target, address.events) == ("mail", "a@example.com", ["alert.raised"])
    client.post(f"/webhooks/addresses/{address.pk}/test/")
    assert Delivery.objects.get().event == "test"
    client.post(f"/webhooks/addresses/{address.pk}/removal/")
    assert not Subscriber.objects.exists()


# --- Alerts ----------------------------------------------------------------------------------------------------------


def test_a_rule_is_made_raises_an_alert_and_the_log_says_whom_it_told(world: World) -> None:
    client = browser(world.owner)
    webhook = make_webhook(world.org, events=["alert.raised"])
    assert client.post("/alerts/", RULE).status_code == 302
    make_dead_letter(world.org)
    judge()

    page = client.get("/alerts/")

    assert page.context["open"] == 1
    ((told,),) = [row["told_to"] for row in page.context["log"]]
    assert (told["target"], told["delivery"].subscriber_id) == (webhook.target, webhook.pk)
    version = page.context["version"]
    assert client.get(f"/alerts/?v={version}", headers={"HX-Request": "true"}).status_code == 204
    Delivery.objects.update(status="delivered", next_at=None, ended_at=Now())
    assert client.get(f"/alerts/?v={version}", headers={"HX-Request": "true"}).status_code == 200


def test_a_pause_ends_the_open_alert_and_says_so(world: World) -> None:
    client = browser(world.owner)
    make_webhook(world.org, events=EventType.values)
    client.post("/alerts/", RULE)
    rule = AlertRule.objects.get()
    Delivery.objects.all().delete()
    make_dead_letter(world.org)
    judge()

    client.post(f"/alerts/rules/{rule.pk}/state/", {"paused": "on"})
    judge()

    alert = Alert.objects.get()
    assert (alert.cleared_at is None, alert.cleared_why) == (False, "paused")
    told = Delivery.objects.filter(event__startswith="alert.").order_by("pk")
    assert [one.event for one in told] == ["alert.raised", "alert.cleared"]
    assert told[1].data["alert"]["cleared_at"]


def test_removing_a_rule_leaves_its_log(world: World) -> None:
    client = browser(world.owner)
    client.post("/alerts/", RULE)
    make_dead_letter(world.org)
    judge()
    client.post(f"/alerts/rules/{AlertRule.objects.get().pk}/removal/")

    alert = Alert.objects.get()
    assert (AlertRule.objects.exists(), alert.cleared_why) == (False, "removed")
    assert "Dead" in text(client.get("/alerts/"))


def test_a_test_goes_to_whom_the_rule_tells_and_to_nobody_is_refused(world: World) -> None:
    client = browser(world.owner)
    client.post("/alerts/", RULE)
    rule = AlertRule.objects.get()
    path = f"/alerts/rules/{rule.pk}/"
    assert "tells nobody" in text(client.post(f"{path}test/", follow=True))
    address, silent = make_alert(world.org), make_alert(world.org, "b@example.com")
    client.post(path, {**RULE, "subscribers": [str(address.pk)]})

    client.post(f"{path}test/")

    assert list(Delivery.objects.values_list("subscriber_id", "event")) == [(address.pk, "test")]
    assert silent.pk != address.pk


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"threshold": "0"}, "threshold"),
        ({"threshold": "nan"}, "threshold"),
        ({"kind": "error_rate", "threshold": "101"}, "threshold"),
        ({"kind": "cron_missed", "queue": "default"}, "queue"),
        ({"queue": "Not A Queue"}, "queue"),
        ({"window_seconds": "5"}, "window_seconds"),
        ({"subscribers": ["018f0000-0000-7000-8000-000000000001"]}, "subscribers"),
        ({"name": ""}, "name"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_beside_its_field(world: World, fields: dict[str, Any], field: str) -> None:
    answer = browser(world.owner).post("/alerts/", {**RULE, **fields})

    assert (answer.status_code, set(answer.context["form"].errors)) == (422, {field})
    assert not AlertRule.objects.exists()


def test_a_name_is_taken_once(world: World) -> None:
    client = browser(world.owner)

    assert [client.post("/alerts/", RULE).status_code for _ in range(2)] == [302, 422]


def test_rules_of_another_organisation_are_not_there(world: World) -> None:
    theirs = AlertRule.objects.create(org=world.rival, name="theirs", kind="latency", threshold=1)
    client = browser(world.owner)

    assert client.get(f"/alerts/rules/{theirs.pk}/").status_code == 404
    for act in ("state", "test", "removal"):
        assert client.post(f"/alerts/rules/{theirs.pk}/{act}/").status_code == 404


# --- Settings and the trail ------------------------------------------------------------------------------------------


def test_settings_are_changed_and_the_trail_shows_from_what_to_what(world: World) -> None:
    client = browser(world.owner)
    client.post("/organisations/rename/", {"name": "Acme Renamed"})
    client.post("/job-settings/", {"http_allow_hosts": "api.example.com\n*.example.org", "http_deny_hosts": ""})

    page = client.get("/settings/")
    assert "Settings of Acme Renamed" in text(page)
    assert "api.example.com" in page.content.decode()
    assert Org.objects.get(pk=world.org.pk).job_settings["http_allow_hosts"] == ["*.example.org", "api.example.com"]
    trail = {entry["action"]: entry["changes"] for entry in client.get("/audit/").context["listing"].entries}
    assert trail["org.rename"] == [("", world.org.name, "Acme Renamed")]
    assert trail["org.job_settings"] == [("http_allow_hosts", "[]", '["*.example.org", "api.example.com"]')]


def test_members_see_settings_and_cannot_change_them(world: World) -> None:
    page = browser(world.viewer).get("/settings/")

    assert page.status_code == 200
    assert all("disabled" in one.attributes for one in read(page).all("fieldset"))
    assert "Export everything" not in text(page)
    assert "Close this organisation" not in text(page)


def test_the_trail_is_narrowed_by_address(world: World) -> None:
    for address in ("203.0.113.9", "203.0.113.10"):
        browser(world.owner).post("/organisations/rename/", {"name": f"From {address}"}, REMOTE_ADDR=address)
    client = browser(world.owner)

    found = client.get("/audit/?address=203.0.113.9").context["listing"].entries
    wrong = client.get("/audit/?address=nonsense")

    assert [entry["address"] for entry in found] == ["203.0.113.9"]
    assert wrong.context["listing"].faults
