"""An account is removed or suspended: who may, what ends with it, and who has to remain."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from orgs import membership
from orgs.membership import invite
from orgs.models import ApiKey, AuditEntry, Invitation, Membership, NameKey, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import PASSWORD, api, browser, make_key, make_member, make_user, with_key
from tests.orgs.reading import error_of, sign_in, summary, text

pytestmark = pytest.mark.django_db

ME = "/api/v1/auth/me/"
OWN = {"current_password": PASSWORD}


def users(name: str, verb: str = "") -> str:
    return f"/api/v1/platform/users/{name}/{verb and verb + '/'}"


# --- what a removal is -----------------------------------------------------------------------------------------------


def test_nothing_is_left_that_tells_who_it_was(world: World) -> None:
    person = world.operator
    User.objects.filter(pk=person.pk).update(email="O@example.com", first_name="Olga", last_name="Petrova")
    key, token = make_key(person, world.org, "operator"), api(person)
    invite(scope=find_scope(world.outsider, "rival"), role=Role.VIEWER, person=person)
    invite(scope=find_scope(world.outsider, "rival"), role=Role.VIEWER, email="o@EXAMPLE.com")
    site = browser(person)

    assert token.delete(ME, OWN).status_code == 204

    row = User.objects.get(pk=person.pk)
    assert (row.username, row.email, row.first_name, row.last_name) == (f"removed-{person.pk}", "", "", "")
    assert (row.is_active, row.active_org, row.last_login, row.has_usable_password()) == (False, None, None, False)
    assert row.removed_at is not None
    assert not Membership.objects.filter(user=person).exists()
    assert set(Invitation.objects.values_list("state", "email")) == {(Invitation.WITHDRAWN, "")}
    assert ApiKey.objects.get().revoked_at is not None
    assert token.get(ME).status_code == with_key(key).get("/api/v1/jobs/").status_code == 401
    assert site.get("/profile/").status_code == 302
    assert sign_in(Client(), "operator").status_code == 422
    assert api().post("/api/v1/auth/login/", {"username": "operator", "password": PASSWORD}).status_code == 401


def test_what_ended_is_in_the_trail_under_the_new_name(world: World) -> None:
    make_key(world.operator, world.org, "operator")
    before = set(AuditEntry.objects.values_list("pk", flat=True))

    api(world.operator).delete(ME, OWN)

    entries = AuditEntry.objects.exclude(pk__in=before).order_by("pk")
    name = f"removed-{world.operator.pk}"
    assert [(one.action, one.actor_name, one.org_id) for one in entries] == [
        ("member.leave", name, world.org.pk),
        ("key.revoke", name, world.org.pk),
        ("user.remove", name, None),
    ]


@pytest.mark.parametrize("body", [{}, {"current_password": "wrong"}, {**OWN, "username": "owner"}, []])
def test_it_takes_the_password(world: World, body: Any) -> None:
    assert api(world.operator).delete(ME, body).status_code == 400
    assert browser(world.operator).post("/profile/removal/", {"removal-current_password": "x"}).status_code == 422
    world.operator.refresh_from_db()
    assert world.operator.removed_at is None


def test_guesses_of_the_password_are_counted(world: World, settings: Settings) -> None:
    settings.ACCOUNT_LOGIN_RATE = (2, 60.0, 2)
    client = api(world.operator)

    assert [client.delete(ME, {"current_password": "x"}).status_code for _ in range(3)] == [400, 400, 429]
    assert browser(world.operator).post("/profile/removal/", {"removal-current_password": PASSWORD}).status_code == 429


def test_no_key_removes_its_maker(world: World) -> None:
    key = make_key(world.operator, world.org, "operator")

    assert with_key(key).delete(ME, OWN).status_code == 403


def test_the_page_says_what_is_wrong_and_does_it(world: World) -> None:
    client = browser(world.operator)
    page = client.get("/profile/").content.decode()
    assert 'action="/profile/removal/"' in page

    wrong = client.post("/profile/removal/", {"removal-current_password": "x"})
    assert "This is not your password." in error_of(wrong, "removal-current_password")
    last = browser(world.owner).post("/profile/removal/", {"removal-current_password": PASSWORD})
    assert (last.status_code, "make somebody else org_admin of acme" in summary(last)) == (409, True)
    done = client.post("/profile/removal/", {"removal-current_password": PASSWORD}, follow=True)

    assert "Your account is removed." in text(done)
    assert client.get("/profile/").status_code == 302


# --- who has to remain -----------------------------------------------------------------------------------------------


def test_the_last_org_admin_is_told_where(world: World) -> None:
    alone = membership.create_org("Alone", user=world.owner)
    client = api(world.owner)

    refused = client.delete(ME, OWN)

    assert (refused.status_code, refused.json()["type"]) == (409, "urn:smartqueue:problem:last_org_admin")
    assert refused.json()["organisations"] == [
        {"slug": "acme", "name": "Acme", "first": "appoint"},
        {"slug": "alone", "name": "Alone", "first": "close"},
    ]
    assert "make somebody else org_admin of acme, and close alone" in refused.json()["detail"]
    assert not NameKey.objects.exists()
    Membership.objects.filter(user=world.operator).update(role=Role.ORG_ADMIN)
    assert [one["slug"] for one in client.delete(ME, OWN).json()["organisations"]] == ["alone"]
    alone.erase_at = timezone.now() + timedelta(days=30)
    alone.save()
    assert client.delete(ME, OWN).status_code == 204


def test_a_closed_account_is_no_org_admin_who_remains(world: World) -> None:
    other = make_member(world.org, Role.ORG_ADMIN)
    User.objects.filter(pk=other.pk).update(is_active=False)

    assert api(world.owner).delete(ME, OWN).status_code == 409


def test_the_last_platform_admin_stays(world: World) -> None:
    client = api(world.platform_admin)
    for refused in (
        client.delete(ME, OWN),
        client.delete(users("platform"), {}),
        client.post(users("platform", "suspend"), {"reason": "x"}),
    ):
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:smartqueue:problem:last_platform_admin")
    site = browser(world.platform_admin)
    path = f"/admin/orgs/user/{world.platform_admin.pk}/change/"
    for fields in ({"is_active": "on"}, {"is_superuser": "on"}):
        assert "last active platform admin" in text(site.post(path, {"username": "platform", **fields}))
    world.platform_admin.refresh_from_db()
    assert (world.platform_admin.is_active, world.platform_admin.is_superuser) == (True, True)

    make_user("second", is_superuser=True)
    assert client.delete(ME, OWN).status_code == 204


# --- what a platform admin does --------------------------------------------------------------------------------------


def test_a_platform_admin_removes_and_says_why(world: World) -> None:
    client = api(world.platform_admin)

    assert client.delete(users("Operator"), {"reason": "ticket 4711"}).status_code == 204

    entry = AuditEntry.objects.get(action="user.remove")
    assert (entry.actor, entry.target, entry.detail) == (
        world.platform_admin, f"removed-{world.operator.pk}", {"reason": "ticket 4711"},
    )  # fmt: skip
    assert AuditEntry.objects.get(action="member.remove").org == world.org
    assert client.delete(users("operator"), {}).status_code == 404
    for answer in (
        client.delete(users(f"removed-{world.operator.pk}"), {}),
        client.post(users(f"removed-{world.operator.pk}", "suspend"), {}),
        client.post(users(f"removed-{world.operator.pk}", "resume"), {}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:smartqueue:problem:already_removed")
    (shown,) = client.get("/api/v1/platform/users/?q=removed-").json()["items"]
    assert (shown["email"], shown["is_active"], shown["memberships"]) == ("", False, [])
    assert shown["removed_at"]
    change = f"/admin/orgs/user/{world.operator.pk}/change/"
    assert browser(world.platform_admin).post(change, {"username": "operator", "is_active": "on"}).status_code == 403


def test_the_last_org_admin_is_not_removed_by_others_either(world: World) -> None:
    assert api(world.platform_admin).delete(users("owner"), {}).json()["organisations"][0]["slug"] == "acme"


def test_a_suspension_closes_all_and_gives_it_back(world: World) -> None:
    person, admin = world.operator, api(world.platform_admin)
    key, token, site = with_key(make_key(person, world.org, "operator")), api(person), browser(person)

    answer = admin.post(users("operator", "suspend"), {"reason": "a lost laptop"})

    assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    assert token.get(ME).status_code == key.get("/api/v1/jobs/").status_code == 401
    assert site.get("/profile/").status_code == 302
    assert admin.post(users("operator", "suspend"), {}).status_code == 409
    assert admin.post(users("operator", "resume"), {"reason": "found"}).json()["is_active"] is True
    assert admin.post(users("operator", "resume"), {}).status_code == 409
    assert token.get(ME).status_code == key.get("/api/v1/jobs/").status_code == site.get("/profile/").status_code == 200
    said = (
        AuditEntry.objects.filter(action__startswith="user.").order_by("pk").values_list("action", "target", "detail")
    )
    assert list(said) == [
        ("user.suspend", "operator", {"reason": "a lost laptop"}),
        ("user.resume", "operator", {"reason": "found"}),
    ]


@pytest.mark.parametrize("reason", ["x" * 201, "a\u202eb", 7, None])
def test_a_reason_is_a_line_for_people(world: World, reason: Any) -> None:
    assert api(world.platform_admin).post(users("viewer", "suspend"), {"reason": reason}).status_code == 400
    world.viewer.refresh_from_db()
    assert world.viewer.is_active
