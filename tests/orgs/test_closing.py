"""An organisation whose end was asked for: closing, and restored until its day."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from orgs import life
from orgs.models import Org
from orgs.roles import Action, OrgState, Role
from orgs.scope import find_scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import api, browser, make_job, make_key, with_key
from tests.orgs.test_life import ACME, ADD, acme, assert_suspended, close, suspend, trail

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("confirm", ["", "Acme", "acme ", "rival", "acme\u0301"])
def test_closing_takes_the_very_slug(world: World, confirm: str) -> None:
    response = close(world, confirm)

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/confirm")
    assert acme().erase_at is None
    assert trail("org.close") == []
    assert api(world.owner).delete(ACME).status_code == 400


def test_closing_sets_the_day_once(world: World, settings: Settings) -> None:
    settings.ORG_GRACE_DAYS = 7
    response = close(world)

    assert (response.status_code, response.json()["state"]) == (202, "closing")
    org = acme()
    assert org.erase_at is not None
    assert timedelta(days=6, hours=23) < org.erase_at - timezone.now() <= timedelta(days=7)
    settings.ORG_GRACE_DAYS = 30
    assert close(world).json() == response.json()
    assert acme().erase_at == org.erase_at
    assert trail("org.close") == [("org.close", "owner", {"erase_at": org.erase_at.isoformat()})]


def test_a_closing_organisation_is_read_and_nothing_else(world: World) -> None:
    job = make_job(world.org).pk
    client, key = api(world.owner), with_key(make_key(world.owner, world.org, Role.ORG_ADMIN))
    erase_at = close(world).json()["erase_at"]

    for one in (client, key):
        assert one.get("/api/v1/jobs/").status_code == 200
        response = one.post("/api/v1/jobs/", ADD)
        assert (response.status_code, response.json()["type"]) == (403, "urn:smartqueue:problem:organisation_closing")
        assert response.json()["erase_at"] == erase_at
        assert one.post(f"/api/v1/jobs/{job}/cancellation/", {}).status_code == 403
    assert client.patch(ACME, {"name": "New"}).status_code == 403
    assert browser(world.owner).get("/jobs/").status_code == 200
    assert "Restore" in browser(world.owner).get("/jobs/").content.decode()
    assert "Restore</button>" not in browser(world.viewer).get("/jobs/").content.decode()


def test_restoring_brings_it_back_until_its_day(world: World) -> None:
    client = api(world.owner)
    close(world)
    erase_at = acme().erase_at
    assert erase_at is not None

    for _ in range(2):
        response = client.post(f"{ACME}restore/")
        assert (response.status_code, response.json()["state"], response.json()["erase_at"]) == (200, "active", None)
    assert client.post("/api/v1/jobs/", ADD).status_code == 201
    assert trail("org.restore") == [("org.restore", "owner", {"erase_at": erase_at.isoformat()})]

    close(world)
    Org.objects.filter(slug="acme").update(erase_at=Now())
    response = client.post(f"{ACME}restore/")
    assert (response.status_code, response.json()["type"]) == (409, "urn:smartqueue:problem:erasure_begun")
    assert acme().erase_at is not None
    assert len(trail("org.restore")) == 1


def test_its_end_is_asked_for_by_a_person_who_is_org_admin(world: World) -> None:
    key = with_key(make_key(world.owner, world.org, Role.ORG_ADMIN))
    for client in (key, api(world.operator), api(world.viewer)):
        assert client.delete(ACME, {"confirm": "acme"}).status_code == 403
        assert client.post(f"{ACME}restore/").status_code == 403
    assert api(world.outsider).delete(ACME, {"confirm": "acme"}).status_code == 404
    assert acme().state == OrgState.ACTIVE


def test_a_suspended_one_is_neither_closed_nor_restored_by_its_members(world: World) -> None:
    close(world)
    suspend(world)

    assert_suspended(api(world.owner).post(f"{ACME}restore/"))
    assert_suspended(close(world))
    assert acme().erase_at is not None
    life.resume("acme", actor=world.platform_admin)
    assert acme().state == OrgState.CLOSING


@pytest.mark.django_db(transaction=True)
def test_who_closes_and_who_suspends_at_once_are_both_heard(world: World) -> None:
    outcomes = at_once(lambda: close(world).status_code, lambda: suspend(world).status_code)

    assert outcomes[1] == 200
    # he was let in before, or was refused
    assert (outcomes[0], acme().erase_at is not None) in [(202, True), (403, False)]
    assert acme().state == OrgState.SUSPENDED
    assert len(trail("org.close")) == (outcomes[0] == 202)


def test_what_may_be_done_is_in_one_table(world: World) -> None:
    close(world)
    scope = find_scope(world.owner, "acme")

    assert {action for action in Action if scope.can(action)} == {
        Action.READ,
        Action.BELONG,
        Action.SEE_AUDIT,
        Action.EXPORT_ORG,
        Action.CLOSE_ORG,
    }
    suspend(world)
    scope = find_scope(world.owner, "acme")
    assert {action for action in Action if scope.can(action)} == {Action.BELONG, Action.EXPORT_ORG}
