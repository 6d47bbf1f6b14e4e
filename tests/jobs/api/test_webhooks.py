"""Webhooks over REST: made, changed, rotated, tested, their deliveries looked at and sent again."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from jobs.models import Delivery, Subscriber
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, browser, make_dead_letter, make_delivery, make_done, make_webhook
from tests.jobs.delivery.rounds import deliver, make_due
from tests.jobs.handlers.server import Server, serving

pytestmark = pytest.mark.django_db

HOOKS = "/api/v1/webhooks/"
URL = "https://example.com/hook"


@pytest.fixture
def made(world: World) -> dict[str, Any]:
    response = api(world.owner).post(HOOKS, {"url": URL})
    assert response.status_code == 201, response.content
    found: dict[str, Any] = response.json()
    return found


def test_one_is_made_for_all_ends_unless_said_otherwise(world: World) -> None:
    client = api(world.owner)

    plain = client.post(HOOKS, {"url": URL})
    narrow = client.post(HOOKS, {"url": URL, "events": ["job.failed", "job.failed"], "types": ["shell", "http"]})

    assert plain["Location"] == f"{HOOKS}{plain.json()['id']}/"
    assert plain.json()["events"] == ["job.done", "job.failed", "job.cancelled"]
    assert plain.json()["types"] is None
    assert (narrow.json()["events"], narrow.json()["types"]) == (["job.failed"], ["http", "shell"])


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "http://localhost/"}, "/url"),
        ({"url": 5}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["job.started"]}, "/events/0"),
        ({"events": ["test"]}, "/events/0"),
        ({"events": "job.done"}, "/events"),
        ({"types": []}, "/types"),
        ({"types": ["fax"]}, "/types"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"active": False}, "/active"),
        ({"org": "rival"}, "/org"),
    ],
)
def test_what_it_cannot_be_is_refused(world: World, fields: dict[str, Any], pointer: str) -> None:
    response = api(world.owner).post(HOOKS, {"url": URL, **fields})

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert not Subscriber.objects.exists()


def test_an_organisation_has_a_bounded_number(world: World, settings: Settings) -> None:
    settings.WEBHOOKS_MAX = 2
    client = api(world.owner)

    statuses = [client.post(HOOKS, {"url": URL}).status_code for _ in range(3)]

    assert statuses == [201, 201, 400]
    assert api(world.outsider).post(HOOKS, {"url": URL}).status_code == 201


def test_the_secret_is_shown_once_and_nowhere_else(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/"
    rotated = client.post(f"{path}secret/").json()["secret"]
    make_done(world.org)
    sent = client.post(f"{path}test/").json()
    answers = [
        client.get(HOOKS),
        client.get(path),
        client.patch(path, {"active": True}),
        client.get(f"{path}deliveries/"),
        client.post(f"{path}deliveries/{sent['id']}/resend/"),
        client.post(f"{path}test/"),
        client.get("/api/v1/schema/"),
        browser(world.platform_admin).get("/admin/"),
    ]

    texts = [response.content.decode() for response in answers]
    texts += [repr(list(model.objects.values())) for model in (Subscriber, Delivery, AuditEntry)]
    for secret in (made["secret"], rotated):
        assert secret.startswith("whsec_")
        assert not [text for text in texts if secret.removeprefix("whsec_") in text]
    assert [response.status_code for response in answers] == [200, 200, 200, 200, 202, 202, 200, 200]


def test_the_secret_that_was_shown_is_the_one_that_signs(world: World, server: Server) -> None:
    made = api(world.owner).post(HOOKS, {"url": server.on("/hook")}).json()
    make_dead_letter(world.org)

    deliver()

    (asked,) = server.asked
    assert Webhook(made["secret"]).verify(asked.body, asked.headers)["type"] == "job.failed"


def test_after_a_rotation_both_sign_for_a_day_and_after_another_only_the_last_two(world: World, server: Server) -> None:
    client = api(world.owner)
    made = client.post(HOOKS, {"url": server.on("/hook")}).json()
    path = f"{HOOKS}{made['id']}/"
    rotated = client.post(f"{path}secret/").json()
    assert len(rotated["previous_secret_until"]) > 0
    client.post(f"{path}test/")
    deliver()
    again = client.post(f"{path}secret/").json()
    client.post(f"{path}test/")
    deliver()

    first, second = server.asked
    for secret, asked, good in [
        (made, first, True),
        (rotated, first, True),
        (made, second, False),
        (rotated, second, True),
        (again, second, True),
    ]:
        assert verifies(secret["secret"], asked) == good


def verifies(secret: str, asked: Any) -> bool:
    try:
        Webhook(secret).verify(asked.body, asked.headers)
    except Exception:
        return False
    return True


def test_it_is_changed_and_turned_off_and_on(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/"
    Subscriber.objects.update(active=False, disabled_reason="It answered 410 Gone.")
    make_done(world.org)
    assert not Delivery.objects.exists()

    changed = client.patch(path, {"active": True, "url": f"{URL}2", "types": ["python"], "events": ["job.done"]}).json()

    assert (changed["active"], changed["disabled_reason"]) == (True, "")
    assert (changed["url"], changed["types"], changed["events"]) == (f"{URL}2", ["python"], ["job.done"])
    make_done(world.org)
    make_dead_letter(world.org)
    assert Delivery.objects.get().event == "job.done"
    assert client.patch(path, {"types": None}).json()["types"] is None
    assert client.patch(path, {"events": []}).status_code == 400
    assert client.patch(path, {"secret": "x"}).status_code == 400


def test_a_test_event_is_delivered_like_any_other(world: World, server: Server) -> None:
    client = api(world.owner)
    made = client.post(HOOKS, {"url": server.on("/hook", 204)}).json()
    path = f"{HOOKS}{made['id']}/"

    sent = client.post(f"{path}test/", headers={"X-Correlation-ID": "corr-9"})
    deliver()

    assert sent.status_code == 202
    (asked,) = server.asked
    message = Webhook(made["secret"]).verify(asked.body, asked.headers)
    assert (message["type"], message["data"]) == ("test", {"webhook": made["id"]})
    assert asked.headers["X-Correlation-ID"] == "corr-9"
    (logged,) = client.get(f"{path}deliveries/").json()["items"]
    assert (logged["id"], logged["status"], logged["response_status"]) == (sent.json()["id"], "delivered", 204)


def test_one_that_is_turned_off_sends_nothing(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/"
    sent = client.post(f"{path}test/").json()
    client.patch(path, {"active": False})

    for tail in ("test/", f"deliveries/{sent['id']}/resend/"):
        assert client.post(path + tail).status_code == 409
    assert deliver() == []


def test_the_log_is_in_pages_the_latest_first_and_by_status(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/deliveries/"
    webhook = Subscriber.objects.get()
    ids = [str(make_delivery(webhook).pk) for _ in range(5)]
    Delivery.objects.filter(pk=ids[0]).update(status="failed", next_at=None, ended_at="2026-01-01T00:00:00Z")

    first = client.get(path, {"limit": 3}).json()
    second = client.get(path, {"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert [one["id"] for one in client.get(path, {"status": "failed"}).json()["items"]] == [ids[0]]
    for query in ({"status": "lost"}, {"limit": 0}, {"cursor": "x"}, {"colour": "red"}):
        assert client.get(path, query).status_code == 400


def test_sent_again_the_id_and_the_body_stay(world: World, server: Server) -> None:
    client = api(world.owner)
    made = client.post(HOOKS, {"url": server.on("/hook", 500)}).json()
    make_dead_letter(world.org)
    for _ in range(9):
        deliver()
        make_due()
    path = f"{HOOKS}{made['id']}/deliveries/"
    (failed,) = client.get(path).json()["items"]
    assert (failed["status"], failed["attempt"]) == ("failed", 9)
    server.on("/hook")

    again = client.post(f"{path}{failed['id']}/resend/")
    deliver()

    assert (again.status_code, again.json()["status"]) == (202, "pending")
    assert {(one.headers["webhook-id"], one.body) for one in server.asked} == {(failed["id"], server.asked[0].body)}
    assert client.get(path).json()["items"][0]["status"] == "delivered"


def test_one_that_is_removed_gets_nothing_more(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/"
    make_done(world.org)

    assert client.delete(path).status_code == 204

    make_done(world.org)
    assert Delivery.objects.count() == 1
    assert deliver() == []
    for answer in (
        client.get(path),
        client.delete(path),
        client.get(f"{path}deliveries/"),
        client.post(f"{path}test/"),
    ):
        assert answer.status_code == 404


def test_nothing_of_another_organisation_is_there(world: World, made: dict[str, Any]) -> None:
    theirs = make_webhook(world.rival)
    delivery = make_delivery(theirs)
    client = api(world.owner)

    for path in (
        f"{HOOKS}{made['id']}/deliveries/{delivery.pk}/resend/",
        f"{HOOKS}{theirs.pk}/deliveries/{delivery.pk}/resend/",
        f"{HOOKS}{theirs.pk}/test/",
        f"{HOOKS}{theirs.pk}/secret/",
        f"{HOOKS}nonsense/test/",
        f"{HOOKS}{made['id']}/deliveries/nonsense/resend/",
        f"/api/v1/mail-alerts/{made['id']}/test/",
    ):
        assert client.post(path).status_code == 404, path
    assert [one["id"] for one in client.get(HOOKS).json()["items"]] == [made["id"]]
    assert client.get(f"{HOOKS}{made['id']}/deliveries/").json()["items"] == []


def test_each_act_is_audited_with_old_and_new(world: World, made: dict[str, Any]) -> None:
    client, path = api(world.owner), f"{HOOKS}{made['id']}/"
    sent = client.post(f"{path}test/").json()
    client.post(f"{path}deliveries/{sent['id']}/resend/")
    client.post(f"{path}secret/")
    client.patch(path, {"active": False})
    client.patch(path, {"active": False})
    client.delete(path)

    entries = list(AuditEntry.objects.filter(target=made["id"]).order_by("pk"))
    assert [entry.action.removeprefix("webhook.") for entry in entries] == [
        *("create", "test", "resend", "rotate", "change", "remove"),
    ]
    assert {entry.actor_name for entry in entries} == {"owner"}
    changed = entries[4].detail
    assert (changed["old"]["active"], changed["new"]["active"]) == (True, False)


def test_no_page_shows_it_without_a_token(made: dict[str, Any]) -> None:
    assert Client().get(HOOKS).status_code == 401


@pytest.fixture
def server() -> Any:
    with serving() as one:
        yield one
